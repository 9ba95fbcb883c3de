/** One run by its id, or all that a filter finds: page by page, a few at a time. */
import { EverstepError, StoreError, StoreUnavailableError } from "../../errors.ts";
import type { RunFilter, Store } from "../../store.ts";
import { checkLimit, checkSelects } from "../filters.ts";

/** What became of an operation on many runs. */
export interface BulkResult {
  readonly done: number;
  /** Runs that it did not fit, and why; nothing was changed of them. */
  readonly refused: readonly { readonly id: string; readonly error: Error }[];
}

export interface BulkOptions {
  /** At most so many runs; default: all that the filter finds. */
  readonly limit?: number;
}

const PAGE = 100;
const AT_A_TIME = 16;

/** Only what says "not this run" is collected; what would befall each of them stops the whole. */
export async function eachRun(
  store: Store,
  filter: RunFilter,
  { limit = Number.POSITIVE_INFINITY }: BulkOptions,
  act: (id: string) => Promise<void>,
): Promise<BulkResult> {
  checkSelects(filter);
  checkLimit(limit);
  let done = 0;
  let left = limit;
  const refused: { readonly id: string; readonly error: Error }[] = [];
  const one = async (id: string): Promise<void> => {
    try {
      await act(id);
      done += 1;
    } catch (error) {
      if (!(error instanceof EverstepError) || isOfTheStore(error)) throw error;
      refused.push({ id, error });
    }
  };
  let after: string | undefined;
  while (left > 0) {
    const request = { limit: Math.min(PAGE, left), order: "oldest" } as const;
    const page = await store.list(filter, after === undefined ? request : { ...request, after });
    left -= page.runs.length;
    await atATime(
      page.runs.map(({ id }) => id),
      one,
    );
    if (page.next === null) break;
    after = page.next;
  }
  return { done, refused };
}

function isOfTheStore(error: EverstepError): boolean {
  return error instanceof StoreError || error instanceof StoreUnavailableError;
}

export async function atATime(ids: readonly string[], act: (id: string) => Promise<void>): Promise<void> {
  const rest = ids.values();
  const lane = async (): Promise<void> => {
    for (const id of rest) await act(id);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, ids.length) }, lane));
}
