import { expect, test } from "vitest";
import { openLoop, percentile } from "../src/load/open-loop.ts";

test("requests are sent at their times, however late the answers are", async () => {
  const late = Promise.withResolvers<boolean>();
  let sent = 0;
  const answers = openLoop({ perSecond: 200, seconds: 0.05 }, () => {
    sent += 1;
    return late.promise;
  });
  await expect.poll(() => sent).toBe(10);
  late.resolve(true);
  expect(await answers).toHaveLength(10);
});

test("a percentile is a value that was there", () => {
  const values = [5, 1, 4, 2, 3];
  expect([0, 0.2, 0.5, 0.99, 1].map((part) => percentile(values, part))).toEqual([1, 1, 3, 5, 5]);
  expect(percentile([], 0.5)).toBeNaN();
});
