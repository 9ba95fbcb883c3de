/** Which runs have led to which. */
import type { Evidence, StoredRun } from "./evidence.ts";
import { prefixOf } from "./judge-family.ts";

/** Of each run: that of the roots to which it leads back, by its parents and events; undefined when to none. */
function rootsOf(
  runs: readonly StoredRun[],
  roots: readonly string[],
): ReadonlyMap<string, string | undefined> {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const emitters = new Map(
    runs.flatMap((run) =>
      run.journal.filter(({ kind }) => kind === "emit").map((entry) => [prefixOf(entry), run] as const),
    ),
  );
  const rootOf = (run: StoredRun | undefined): string | undefined => {
    if (run === undefined || roots.includes(run.id)) return run?.id;
    return rootOf(run.event === null ? byId.get(run.parent?.runId ?? "") : emitters.get(run.event));
  };
  return new Map(runs.map((run) => [run.id, rootOf(run)]));
}

/** The evidence of one root with that of all that it has led to. Undefined when it is not there. */
export function familyOf<R extends StoredRun>(
  root: string,
  runs: readonly R[],
  evidenceOf: (run: R) => Evidence,
): Evidence | undefined {
  const own = runs.find(({ id }) => id === root);
  if (own === undefined) return undefined;
  const roots = rootsOf(runs, [root]);
  const others = runs.filter(({ id }) => id !== root && roots.get(id) === root);
  return { ...evidenceOf(own), others: others.map(evidenceOf) };
}

/** Its parent told it to be canceled. */
export function isCanceledByParent({ parent, messages }: StoredRun): boolean {
  return messages.some(
    ({ type, id }) => type === "cancel" && parent !== null && id === `${parent.runId}/${parent.key}`,
  );
}
