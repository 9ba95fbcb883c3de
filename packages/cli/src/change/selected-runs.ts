/** All runs that a filter finds, page by page: what is done to them must not change which come next, so the oldest come first. */
import type { RunSummary } from "@everstep/core";
import { type Looker, matchingRuns, needsReading } from "../run-matching.ts";
import { filterOf, type SelectionOptions } from "../run-selection.ts";

const PAGE = 500;

/** Says nothing: it would find every run there is. */
export function selectsNothing(options: SelectionOptions): boolean {
  return !needsReading(options) && Object.keys(filterOf(options, 0)).length === 0;
}

export async function* selectedRuns(
  looker: Looker,
  options: SelectionOptions,
  now: number,
): AsyncGenerator<RunSummary> {
  let after: string | undefined;
  do {
    const page = await looker.client.runs.list({
      ...filterOf(options, now),
      limit: PAGE,
      order: "oldest",
      ...(after === undefined ? {} : { after }),
    });
    yield* await matchingRuns(looker, page.runs, options);
    after = page.next ?? undefined;
  } while (after !== undefined);
}
