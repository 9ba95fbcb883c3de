/** `--step` and `--failed-with`: what only a look at each run can tell, since values may be sealed. */
import type { RunReport, RunStatus, RunSummary } from "@everstep/core";
import type { Session } from "./frame.ts";
import { plural } from "./render/plural.ts";
import { readRun } from "./run-document.ts";
import type { SelectionOptions } from "./run-selection.ts";

export type Looker = Pick<Session<unknown>, "client" | "store" | "out">;

type Wanted = Pick<SelectionOptions, "step" | "failedWith">;

/** Those in which a step can have failed, be waited for or be in the way. */
export const MATCHED_STATUSES: readonly RunStatus[] = [
  ...(["running", "waiting", "compensating", "stuck", "failed", "canceled"] as const),
];

/** Of how many runs the journals are read at a time. */
const AT_ONCE = 16;

export function needsReading({ step, failedWith }: Wanted): boolean {
  return step !== undefined || failedWith !== undefined;
}

/** Those of the runs that match, in their order. Reads each of them. */
export async function matchingRuns(
  looker: Looker,
  runs: readonly RunSummary[],
  wanted: Wanted,
): Promise<readonly RunSummary[]> {
  if (!needsReading(wanted)) return runs;
  const found: RunSummary[] = [];
  let sealed = 0;
  for (let at = 0; at < runs.length; at += AT_ONCE) {
    const some = runs.slice(at, at + AT_ONCE);
    const matches = await Promise.all(some.map(({ id }) => matchOf(looker, id, wanted)));
    found.push(...some.filter((_, index) => matches[index] === "found"));
    sealed += matches.filter((match) => match === "sealed").length;
  }
  if (sealed > 0 && !looker.out.isJson)
    looker.out.note(
      `${plural(sealed, "run")} left out: without the codec nobody knows what they failed with`,
    );
  return found;
}

async function matchOf(
  { client, store }: Looker,
  id: string,
  { step, failedWith }: Wanted,
): Promise<"found" | "other" | "sealed"> {
  const read = await readRun(client, store, id).catch((thrown: unknown) => {
    // Purged since it was listed.
    if (thrown instanceof Error && "code" in thrown && thrown.code === "RUN_NOT_FOUND") return undefined;
    throw thrown;
  });
  if (read === undefined) return "other";
  const { report, sealed } = read;
  if (step !== undefined && !stepsAt(report).includes(step)) return "other";
  if (failedWith === undefined || errorsOf(report).toLowerCase().includes(failedWith.toLowerCase()))
    return "found";
  return sealed ? "sealed" : "other";
}

/** The failed attempts of a compensation are kept under the key of its step, and this. */
const UNDO = /#undo$/;

function stepsAt({ retries, waits, journal, stuck, status }: RunReport): readonly string[] {
  const settled = journal.filter(({ kind, superseded }) => superseded === undefined && kind !== "end");
  const failed = settled.findLast(({ error }) => error !== undefined);
  const begun = stuck === null ? [] : settled.filter(({ kind }) => kind === "started").map(({ key }) => key);
  const done = new Set(settled.filter(({ kind }) => kind === "step").map(({ key }) => key));
  return [
    ...retries.flatMap(({ step }) => [step, step.replace(UNDO, "")]),
    ...waits.map(({ key }) => key),
    ...begun.filter((key) => !done.has(key)),
    ...(status === "failed" && failed !== undefined ? [failed.key] : []),
  ];
}

function errorsOf({ stuck, error, retries }: RunReport): string {
  const errors = [error, ...retries.map((retry) => retry.error)];
  return [stuck?.code, stuck?.message, ...errors.flatMap(textsOf)].join("\n");
}

const CAUSES_MAX = 5;

function textsOf(error: Error | undefined): readonly string[] {
  const texts: string[] = [];
  let one: unknown = error;
  for (let depth = 0; one instanceof Error && depth < CAUSES_MAX; depth++) {
    texts.push(`${one.name}: ${one.message}`);
    one = one.cause;
  }
  return texts;
}
