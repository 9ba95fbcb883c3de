/** When a failed step is tried again. */
import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/index.ts";
import { nextAttemptAt, retryOf } from "../../src/engine/retry.ts";

const at = (
  policy: Parameters<typeof retryOf>[0],
  failures: number,
  more: Partial<Parameters<typeof nextAttemptAt>[1]> = {},
): number | "exhausted" =>
  nextAttemptAt(retryOf(policy, "step a"), { failures, firstAt: 0, now: 0, random: 1, ...more });

test("500 ms, twice as long each time, up to 60 s, without end", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 1000].map((failures) => at(undefined, failures))).toEqual([
    500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});

test("full jitter: anywhere between nothing and the bound, in whole milliseconds", () => {
  expect([0, 0.25, 0.333, 0.999].map((random) => at(undefined, 1, { random }))).toEqual([0, 125, 167, 500]);
});

test("`false` and maxAttempts 1 are a single attempt; maxAttempts 3 are three", () => {
  expect(at(false, 1)).toBe("exhausted");
  expect(at({ maxAttempts: 1 }, 1)).toBe("exhausted");
  expect([1, 2, 3].map((failures) => at({ maxAttempts: 3 }, failures))).toEqual([500, 1000, "exhausted"]);
});

test("factor, initialDelay and maxDelay", () => {
  const policy = { initialDelay: "1s", factor: 3, maxDelay: "10s" };
  expect([1, 2, 3, 4].map((failures) => at(policy, failures))).toEqual([1000, 3000, 9000, 10_000]);
});

test("no attempt begins later than maxElapsed after the first one began", () => {
  const policy = { initialDelay: 1000, factor: 1, maxElapsed: 10_000 };
  expect(at(policy, 5, { now: 9000 })).toBe(10_000);
  expect(at(policy, 5, { now: 9001 })).toBe("exhausted");
  expect(at(policy, 5, { now: 19_000, firstAt: 10_000 })).toBe(20_000);
});

test("not before what the body asked for; that counts for maxElapsed as well", () => {
  expect(at(undefined, 1, { notBefore: 90_000 })).toBe(90_000);
  expect(at(undefined, 1, { notBefore: 100 })).toBe(500);
  expect(at({ maxElapsed: 60_000 }, 1, { notBefore: 90_000 })).toBe("exhausted");
});

test("very many failures make no senseless number", () => {
  expect(at({ factor: 10, maxDelay: "30d" }, 10_000)).toBe(30 * 86_400_000);
});

describe("a senseless policy is refused, naming the step", () => {
  test.each([
    { maxAttempts: 0 },
    { maxAttempts: Number.NaN },
    { factor: 0.5 },
    { factor: Number.NaN },
    { initialDelay: -1 },
    { maxDelay: "soon" },
    { maxElapsed: Number.POSITIVE_INFINITY },
  ])("%j", (policy) => {
    expect(() => retryOf(policy, "step a")).toThrow(InvalidArgumentError);
    expect(() => retryOf(policy, "step a")).toThrow(/step a/);
  });
});
