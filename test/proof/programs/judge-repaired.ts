/**
 * Judges a run that persons had go back. What still counts of its journal is judged like any other, by what its code did since; and what was
 * done again has another idempotency key, just if the outcome of what was done before was known (I6).
 */
import type { Entry } from "@everstep/core";
import type { Evidence, Execution } from "./evidence.ts";
import { judge, judgeEffective, judgeRun } from "./judge.ts";
import { escaped } from "./judge-family.ts";
import { rowFindings } from "./judge-rows.ts";
import type { Program } from "./program.ts";

interface ResetNote {
  readonly to: number;
  readonly carry: boolean;
  readonly again?: readonly string[];
}

const OPERATOR: ReadonlySet<Entry["kind"]> = new Set(["resume", "pause", "resolve", "reset", "move", "fork"]);

/** As `judge`, also for a run that persons had go back; what runs did to each other is then not looked at. */
export function judgeMended(program: Program, evidence: Evidence): string[] {
  const { run, others = [] } = evidence;
  if (run.journal.every(({ kind }) => kind !== "reset")) return judge(program, evidence);
  return [
    ...judgeRepaired(program, evidence),
    ...others.flatMap((other) => judgeRun(JSON.parse(other.run.input) as Program, other, [other])),
  ];
}

function judgeRepaired(program: Program, evidence: Evidence): string[] {
  const { run, executions, passes } = evidence;
  if (run.end === null) return [`L1 not ended: ${run.stuck?.code ?? run.phase} ${run.stuck?.message ?? ""}`];
  const since = run.journal.findLast(({ kind }) => kind === "reset")?.seq ?? 0;
  const counting = effective(run.journal).filter(({ kind }) => !OPERATOR.has(kind));
  const effectiveSeqs = counting.map(({ seq }) => seq);
  const renumbered = (durable: number): number => effectiveSeqs.filter((seq) => seq <= durable).length;
  const anew = {
    ...evidence,
    run: {
      ...run,
      journal: counting.map((entry, index) => ({ ...entry, seq: index + 1 })),
    },
    executions: executions
      .filter(({ kind, durable }) => kind !== "undo" || durable >= since)
      .map((execution) => ({ ...execution, durable: renumbered(execution.durable) })),
    // Those that went elsewhere before are followed as far as they went the same way.
    passes: passes.map((pass) => ({ ...pass, durable: 0 })),
    faulty: true,
  };
  const own = executions.filter(({ thawed, kind }) => thawed !== true && kind !== "transaction");
  const carries = run.journal.some((entry) => entry.kind === "reset" && noteOf(entry).carry);
  return [
    ...judgeEffective(program, anew, carries),
    ...own.flatMap((execution) => keyFindings(run, execution)),
    ...againFindings(run, executions),
    ...rowFindings(evidence),
  ];
}

/** From each reset on, what came between it and the entry that it names counts no more, but for answers of `patched`. */
function effective(journal: readonly Entry[]): readonly Entry[] {
  return journal.reduce<readonly Entry[]>((counting, entry) => {
    const stays = (old: Entry): boolean => old.kind === "patched" || old.seq <= noteOf(entry).to;
    const kept = entry.kind === "reset" ? counting.filter(stays) : counting;
    return [...kept, entry];
  }, []);
}

function noteOf({ value }: Entry): ResetNote {
  return JSON.parse(value ?? "{}") as ResetNote;
}

function keyFindings({ id, journal }: Evidence["run"], execution: Execution): string[] {
  const { kind, key, idempotencyKey, durable } = execution;
  const times = generations(journal.slice(0, durable), key);
  const generation = times === 0 ? "" : `~${times + 1}`;
  const expected = `${escaped(id)}/${key}${generation}${kind === "undo" ? "/undo" : ""}`;
  return idempotencyKey === expected
    ? []
    : [`I6 ${kind} ${key}: its idempotency key is ${idempotencyKey}, not ${expected}`];
}

/** What was to be done again since the last reset came to what it did by being done. */
function againFindings({ journal }: Evidence["run"], executions: readonly Execution[]): string[] {
  const reset = journal.findLast(({ kind }) => kind === "reset");
  if (reset === undefined) return [];
  const before = journal.slice(0, reset.seq - 1);
  return journal
    .filter(({ kind, key, seq, error }) => {
      const isAnew = generations(journal.slice(0, reset.seq), key) > generations(before, key);
      return kind === "step" && error === undefined && seq > reset.seq && isAnew;
    })
    .filter(({ key }) => !executions.some((one) => one.key === key && one.durable >= reset.seq))
    .map(({ key }) => `I6 step ${key} was to be done again, and was not`);
}

const OUTCOMES: ReadonlySet<Entry["kind"]> = new Set(["step", "child"]);
const CALLS: ReadonlySet<Entry["kind"]> = new Set(["call", "drop", "child"]);
/** From then on the children of a run are told to be canceled. */
const CLOSING: ReadonlySet<Entry["kind"]> = new Set(["cancel", "unwinding", "end"]);

/**
 * How often a known outcome of this key was superseded, and not carried over; what was undone is known not to be there, and a child of which
 * nothing was heard is given up.
 */
function generations(journal: readonly Entry[], key: string): number {
  return journal.filter((reset) => {
    if (reset.kind !== "reset") return false;
    const { to, carry, again = [] } = noteOf(reset);
    const superseded = effective(journal.slice(0, reset.seq - 1)).filter((entry) => entry.seq > to);
    if (superseded.some((entry) => entry.kind === "undo" && entry.key === key)) return true;
    if (isGivenUp(superseded, key, carry)) return true;
    const outcome = superseded.find((entry) => entry.key === key && OUTCOMES.has(entry.kind));
    return outcome !== undefined && !(carry && outcome.error === undefined && !again.includes(key));
  }).length;
}

/** Its run was told to be canceled, so a retry calls another one; a rewind gives up all of which it has not heard. */
function isGivenUp(superseded: readonly Entry[], key: string, carry: boolean): boolean {
  const own = superseded.filter((entry) => entry.key === key && CALLS.has(entry.kind));
  const last = own.at(-1);
  if (last === undefined || last.kind === "child" || last.error !== undefined) return false;
  return !carry || last.kind === "drop" || superseded.some(({ kind }) => CLOSING.has(kind));
}
