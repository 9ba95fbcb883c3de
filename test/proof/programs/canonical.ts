/**
 * What of an ended run is the same on every store, with or without faults: for comparing two runs of one program. Left out is what
 * timing or a token decides: who wins a race, which block an `if` takes, how far others got when something beside them failed.
 */
import type { Evidence } from "./evidence.ts";
import { type Surely, surely } from "./certainty.ts";
import type { Program } from "./program.ts";
import { valueOf } from "./reading.ts";

type Outcome = "ok" | "failed" | "open";

/** Plain JSON; `null` and `"?"` stand for what is not determined. */
export interface Canonical {
  readonly status: string | null;
  readonly result: unknown;
  /** Of the steps that are surely reached: how each came out. */
  readonly steps: Readonly<Record<string, Outcome>>;
  /** Of those that are transactions: of each row that they have left, its key; sorted. */
  readonly rows: readonly string[];
  /** Of those: which were undone; sorted. */
  readonly undone: readonly string[] | null;
  /** Keys of the surely reached waits that got their signal, and of the timers that are over; sorted. */
  readonly waits: readonly string[];
  /** Of what is surely sent to other runs, and of the calls: how each came out. */
  readonly sent: Readonly<Record<string, Outcome>>;
}

/** Two of one program are deeply equal, or a store (or a fault) made a difference. */
export function canonical(program: Program, evidence: Evidence): Canonical {
  const { run, others = [], rows = [] } = evidence;
  const sure = surely(program);
  const nameOf = new Map(
    [evidence, ...others].flatMap(({ executions }) => executions.map(({ token, key }) => [token, key])),
  );
  const entries = new Map(run.journal.map((entry) => [`${entry.kind} ${entry.key}`, entry]));
  const outcomeOf = (name: string): Outcome => {
    const entry = entries.get(name);
    return entry === undefined ? "open" : entry.error === undefined ? "ok" : "failed";
  };
  return {
    status: sure.end === "unknown" ? null : run.end,
    result:
      sure.end === "completed"
        ? masked(valueOf({ value: run.result ?? undefined }), sure.value, nameOf)
        : null,
    steps: Object.fromEntries(sure.steps.map((key) => [key, outcomeOf(`step ${key}`)])),
    rows: rows
      .map((token) => nameOf.get(token) ?? "")
      .filter((key) => sure.steps.includes(key))
      .toSorted(),
    undone: undoneOf(sure, run.journal),
    waits: sure.waits
      .filter((wait) => entries.get(wait)?.error === undefined && entries.has(wait))
      .toSorted(),
    sent: Object.fromEntries(sure.sent.map((name) => [name, outcomeOf(name)])),
  };
}

function undoneOf(sure: Surely, journal: Evidence["run"]["journal"]): string[] | null {
  if (sure.end === "unknown" || sure.pivotsUnsure) return null;
  const certain = new Set(sure.undos);
  return journal
    .filter(({ kind, key }) => kind === "undo" && certain.has(key))
    .map(({ key }) => key)
    .toSorted();
}

/** Tokens give way to the names of their steps, and what is not determined to `"?"`. */
function masked(value: unknown, shape: unknown, nameOf: ReadonlyMap<string, string>): unknown {
  if (shape === "?") return "?";
  if (Array.isArray(value) && Array.isArray(shape)) {
    const shapes: readonly unknown[] = shape;
    return value.map((item, index) => masked(item, shapes[index], nameOf));
  }
  if (typeof value !== "string") return value;
  return value
    .split(" ")
    .map((word) => nameOf.get(word) ?? word)
    .join(" ");
}
