import { describe, expect, test } from "vitest";
import { durationMs } from "../../src/engine/duration.ts";
import { checkAskName, checkName, checkRunId, idempotencyPath } from "../../src/engine/names.ts";
import { prng } from "../../src/engine/prng.ts";

describe("durations", () => {
  test.each([
    [0, 0],
    [250, 250],
    [0.5, 1],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["1.5s", 1500],
    ["1.5 h", 5_400_000],
  ])("%j is %d ms", (duration, ms) => {
    expect(durationMs(duration, "timeout")).toBe(ms);
  });

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "",
    "s",
    "-1s",
    "1e3s",
    "1 day",
    "1y",
    " 1s",
    "1s ",
    "1s1s",
    "٣s",
    "999999999999d",
    8.64e15 + 1e6,
    null,
    undefined,
    {},
    [],
  ])("F117: %j is refused, naming what it is for", (duration) => {
    expect(() => durationMs(duration as string, "sleep nap")).toThrow(
      /sleep nap must be milliseconds or a text/,
    );
  });

  test("S11: a long text is refused at once", () => {
    const startedAt = performance.now();
    expect(() => durationMs("1".repeat(1_000_000), "x")).toThrow(/must be/);
    expect(() => durationMs(`${"1.".repeat(15)}s`, "x")).toThrow(/must be/);
    // Character by character, each time from the beginning, it would be minutes.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});

describe("names", () => {
  test.each(["a", "charge-payment", "order:completed", "ünïcödé 😀", "x".repeat(200), "a.b/c~d%"])(
    "%j is fine",
    (name) => {
      expect(() => checkName("step", name)).not.toThrow();
      expect(() => checkAskName("step", name)).not.toThrow();
    },
  );

  test.each([
    "",
    "x".repeat(201),
    "a\u0000",
    "a\u001b[0m",
    "a\u007f",
    "a\u0085",
    "\ud800",
    "a\udc00",
    7,
    null,
    undefined,
  ])("%j is refused", (name) => {
    expect(() => checkName("workflow", name)).toThrow(/workflow/);
    expect(() => checkAskName("step", name)).toThrow(/step/);
  });

  test.each(["a#2", "a[k]", "a]"])("%j can name a workflow, but nothing that has a key", (name) => {
    expect(() => checkName("workflow", name)).not.toThrow();
    expect(() => checkAskName("step", name)).toThrow(/`key`/);
  });

  test("the id of a run has up to 500 characters", () => {
    expect(() => checkRunId("x".repeat(500))).not.toThrow();
    expect(() => checkRunId("x".repeat(501))).toThrow(/500/);
  });
});

describe("idempotency keys", () => {
  test("<run>/<step key>", () => {
    expect(idempotencyPath("order-1", "charge#2")).toBe("order-1/charge#2");
    expect(idempotencyPath("order-1", "charge", "/undo")).toBe("order-1/charge/undo");
  });

  test("two different pairs never give the same text", () => {
    const parts = ["a", "a/b", "b", "a%2Fb", "%", "~2", "a~2", "a/", "/a", "b/undo"];
    const texts = parts.flatMap((run) =>
      parts.flatMap((key) => [idempotencyPath(run, key), idempotencyPath(run, key, "/undo")]),
    );
    expect(new Set(texts).size).toBe(texts.length);
  });
});

describe("the generator", () => {
  test("draws the same for the same seed, in every release", () => {
    const { next, uuid } = bound("order-1");
    expect([next(), next(), next()]).toEqual([0.5058186503357439, 0.8075100807221842, 0.2893893014182818]);
    expect(uuid()).toBe("07930e8c-1c3f-4a9b-8e02-73ba8d17b712");
  });

  test("draws something else for another seed", () => {
    const seeds = Array.from({ length: 1000 }, (_, n) => bound(`run-${n}`).next());
    expect(new Set(seeds).size).toBe(1000);
  });

  test("is spread evenly over [0, 1)", () => {
    const { next } = bound("spread");
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 100_000; n++) {
      const drawn = next();
      expect(drawn >= 0 && drawn < 1).toBe(true);
      buckets[Math.floor(drawn * 10)] = (buckets[Math.floor(drawn * 10)] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

function bound(seed: string): { next: () => number; uuid: () => string } {
  const generator = prng(seed);
  return { next: () => generator.next(), uuid: () => generator.uuid() };
}
