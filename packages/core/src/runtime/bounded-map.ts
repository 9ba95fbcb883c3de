import { InvalidArgumentError } from "../errors.ts";

const CONCURRENCY = 10;

/**
 * Calls `fn` for all items, for so many at a time. The next item begins in the delivery turn in which one is over, so that its asks come
 * in the same order on every replay.
 */
export function boundedMap<T, R>(
  items: Iterable<T>,
  fn: (item: T, index: number) => Promise<R>,
  concurrency: number = CONCURRENCY,
): Promise<R[]> {
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new InvalidArgumentError(`concurrency must be a whole number of at least 1, not ${concurrency}`);
  const left = [...items].entries();
  const results: R[] = [];
  let failed = false;
  const lane = async (): Promise<void> => {
    for (const [index, item] of left) {
      if (failed) return;
      try {
        results[index] = await fn(item, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  return Promise.all(Array.from({ length: concurrency }, lane)).then(() => results);
}
