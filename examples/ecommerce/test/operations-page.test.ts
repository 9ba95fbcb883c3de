import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { conditionOf } from "../src/operations/page/condition.js";
import { dollars, howLong, percent, took, visible, whyCommand } from "../src/operations/page/wording.js";
import { type Figures, SOURCES, WINDOW } from "../src/operations/figures.ts";
import type { Reading, Snapshot } from "../src/operations/figures-feed.ts";

describe("the command that explains a run", () => {
  test.each([
    ["order-42", "everstep why order-42"],
    ["order-42/post-order", "everstep why order-42/post-order"],
    ["order-42:re_1", "everstep why order-42:re_1"],
    ["-rf", "everstep why -- -rf"],
    ["a b", "everstep why 'a b'"],
    ["$(reboot)", "everstep why '$(reboot)'"],
    ["it's", String.raw`everstep why 'it'\''s'`],
    // It would turn around what follows it on the screen.
    ["a\u{202e}b", String.raw`everstep why $'a\U0000202eb'`],
  ])("of %j is one that can be pasted", (run, command) => {
    expect(whyCommand(run)).toBe(command);
  });

  test.each(["", "a\nreboot", "a\u{1b}[2J", "a\u{d800}"])(
    "is not made of %j, which is no id of a run",
    (run) => {
      expect(whyCommand(run)).toBeUndefined();
    },
  );

  test
    .skipIf(process.platform === "win32")
    .each(["order-42", "it's; reboot", '`reboot` $HOME "x" !! \\', "*", "a\u{202e}'\\b\u{e0041}", "ünï 🙂"])(
    "means the id %j to a shell",
    (run) => {
      const command = whyCommand(run)?.replace("everstep why", "printf %s");
      const env = { ...process.env, LC_ALL: "C.UTF-8" };
      expect(execFileSync("bash", ["-c", command ?? ""], { encoding: "utf8", env })).toBe(run);
    },
  );
});

test("what can't be seen in a text is made visible", () => {
  expect(visible("a\u{202e}b\u{0}\u{200b}<i>")).toBe(String.raw`a\u{202e}b\u{0}\u{200b}<i>`);
});

test("figures are short, and say their unit", () => {
  expect([dollars(12.5), dollars(311_491.2), percent(0.0667)]).toEqual(["$12.50", "$311,491", "6.7%"]);
  expect([0, 3, 999, 1240, 90_000].map(took)).toEqual(["<1 ms", "3 ms", "999 ms", "1.24 s", "1.5 min"]);
  expect([900, 59_999, 60_000, 3_720_000, 7_200_000, 3 * 86_400_000].map(howLong)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "1 h 2 min",
    "2 h",
    "3 days",
  ]);
});

describe("how far the page can be believed", () => {
  const fresh: Reading<never[]> = { rows: [], age: 0, trouble: null };

  function snapshot(others: Partial<Record<keyof Figures, Reading<never[]>>> = {}): Snapshot {
    const readings = { revenue: fresh, orders: fresh, attempts: fresh, latencies: fresh, stuck: fresh };
    return { now: 0, window: WINDOW, ...readings, ...others };
  }

  test("it is live while every figure is fresh", () => {
    expect(conditionOf({ snapshot: snapshot(), sinceMs: 900, isConnected: true }).kind).toBe("live");
  });

  test("it waits until the first figures come", () => {
    expect(conditionOf({ snapshot: null, sinceMs: 0, isConnected: false }).kind).toBe("connecting");
  });

  test("it is stale when a pipe fails, and says how old and why", () => {
    const failing = snapshot({ stuck: { rows: [], age: 12_400, trouble: "stuck_runs: no" } });
    expect(conditionOf({ snapshot: failing, sinceMs: 0, isConnected: true })).toEqual({
      kind: "stale",
      title: "Some figures don’t answer",
      detail: "What you see is 12 s old. stuck_runs: no",
    });
  });

  test("it is stale when a pipe is silent for long", () => {
    const silent = snapshot({ orders: { rows: [], age: 4000, trouble: null } });
    expect(conditionOf({ snapshot: silent, sinceMs: 500, isConnected: true }).kind).toBe("live");
    expect(conditionOf({ snapshot: silent, sinceMs: 1500, isConnected: true }).kind).toBe("stale");
  });

  test("no figure at all is not called young", () => {
    const never: Reading<never[]> = { rows: [], age: null, trouble: "no" };
    const all = Object.fromEntries(Object.keys(SOURCES).map((name) => [name, never]));
    expect(conditionOf({ snapshot: snapshot(all), sinceMs: 0, isConnected: true })).toMatchObject({
      title: "The figures don’t answer",
      detail: "Some have never come. no",
    });
  });

  test("what has not come yet is no trouble", () => {
    const coming = snapshot({ stuck: { rows: [], age: null, trouble: null } });
    expect(conditionOf({ snapshot: coming, sinceMs: 0, isConnected: true }).kind).toBe("live");
  });

  test("it has lost its server when that says nothing", () => {
    expect(conditionOf({ snapshot: snapshot(), sinceMs: 7000, isConnected: false })).toMatchObject({
      kind: "lost",
      detail: "What you see is 7 s old.",
    });
  });
});
