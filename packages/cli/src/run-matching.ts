/** `--step` and `--failed-with`: what only a look at each run can tell, since values may be sealed. */
import type { Client, RunReport, RunStatus, RunSummary } from "@everstep/core";
import type { SelectionOptions } from "./run-selection.ts";

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
  client: Client,
  runs: readonly RunSummary[],
  wanted: Wanted,
): Promise<readonly RunSummary[]> {
  if (!needsReading(wanted)) return runs;
  const found: RunSummary[] = [];
  for (let at = 0; at < runs.length; at += AT_ONCE) {
    const some = runs.slice(at, at + AT_ONCE);
    const matched = await Promise.all(some.map(({ id }) => isMatch(client, id, wanted)));
    found.push(...some.filter((_, index) => matched[index]));
  }
  return found;
}

async function isMatch(client: Client, id: string, { step, failedWith }: Wanted): Promise<boolean> {
  const report = await client.runs.read(id).catch((thrown: unknown) => {
    // Purged since it was listed.
    if (thrown instanceof Error && "code" in thrown && thrown.code === "RUN_NOT_FOUND") return undefined;
    throw thrown;
  });
  if (report === undefined) return false;
  return (
    (step === undefined || stepsAt(report).includes(step)) &&
    (failedWith === undefined || errorsOf(report).toLowerCase().includes(failedWith.toLowerCase()))
  );
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
