/** Before much is done, or what can't be taken back, a person at a terminal is asked. */
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { workflow } from "@everstep/core";
import { Operator } from "./support/operator.ts";
import { hasTerminals, Terminal } from "./support/terminal.ts";

const waiting = workflow({ name: "waiting" }, async (ctx) => {
  await ctx.waitForSignal("go");
});

async function threeRuns(): Promise<Operator> {
  const operator = new Operator("sqlite");
  for (const id of ["run-1", "run-2", "run-3"]) await operator.client.start(waiting, null, { id });
  return operator;
}

function at(operator: Operator, ...words: readonly string[]): Terminal {
  return new Terminal(words, { store: operator.url, cwd: operator.cwd });
}

test.skipIf(!hasTerminals)("it says how many and of what, and no changes nothing", async () => {
  const operator = await threeRuns();
  for (const keys of ["n", "\r", "\u0003"]) {
    const terminal = at(operator, "pause", "--workflow", "waiting", "--status", "ready");
    await terminal.until("Pause 3 runs?");
    await terminal.until("3 of waiting version 1, ready");
    terminal.type(keys);
    expect(await terminal.end()).toBe(1);
    expect(terminal.text).toContain("nothing was changed");
    expect(await operator.client.runs.count({ paused: true })).toBe(0);
  }
});

test.skipIf(!hasTerminals)("yes does it", async () => {
  const operator = await threeRuns();
  const terminal = at(operator, "pause", "--workflow", "waiting", "--status", "ready");
  await terminal.until("Pause 3 runs?");
  terminal.type("y");
  expect(await terminal.end()).toBe(0);
  expect(terminal.text).toContain("paused 3 runs");
  expect(await operator.client.runs.count({ paused: true })).toBe(3);
});

test.skipIf(!hasTerminals)("a shortened id is asked about by the whole one", async () => {
  const operator = await threeRuns();
  await operator.client.start(waiting, null, { id: "other-4" });
  const terminal = at(operator, "pause", "oth");
  await terminal.until("Pause run other-4?");
  terminal.type("y");
  expect(await terminal.end()).toBe(0);
  expect((await operator.client.runs.list({ paused: true })).runs.map(({ id }) => id)).toEqual(["other-4"]);
});

test.skipIf(!hasTerminals)(
  "what one run loses nothing by is not asked about; --yes asks nothing",
  async () => {
    const operator = await threeRuns();
    const one = at(operator, "pause", "run-1");
    expect(await one.end()).toBe(0);
    expect(one.text).toBe("paused run-1\r\n");
    const all = at(operator, "cancel", "--all", "--yes");
    expect(await all.end()).toBe(0);
    expect(all.text).toBe("ordered to be canceled: 3 runs\r\n");
  },
);

test.skipIf(!hasTerminals)("it says what is meant by it, and not to how many alone", async () => {
  const operator = await threeRuns();
  const terminal = at(operator, "signal", "--name", "go", "--all", "--id", "monday");
  await terminal.until("Signal 3 runs?");
  await terminal.until("the signal is go");
  terminal.type("y");
  expect(await terminal.end()).toBe(0);
  expect(terminal.text).toContain("sent go to 3 runs");
});

test.skipIf(!hasTerminals)("a terminal that draws nothing is asked in plain lines", async () => {
  const operator = await threeRuns();
  for (const [keys, code, paused] of [
    ["n\n", 1, 0],
    ["\u0003", 1, 0],
    ["y\n", 0, 3],
  ] as const) {
    const terminal = new Terminal(["pause", "--all"], {
      store: operator.url,
      cwd: operator.cwd,
      env: { TERM: "dumb" },
    });
    await terminal.until("(y/N)");
    expect(terminal.raw).toContain("Pause 3 runs?\r\n3 of waiting version 1, ready\r\n");
    terminal.type(keys);
    expect(await terminal.end()).toBe(code);
    expect(await operator.client.runs.count({ paused: true })).toBe(paused);
  }
});

test.skipIf(!hasTerminals)("long work shows how far it is", async () => {
  const operator = new Operator("sqlite");
  const ids = Array.from({ length: 120 }, (_, at) => `run-${at}`);
  await Promise.all(ids.map((id) => operator.client.start(waiting, null, { id })));
  const terminal = at(operator, "pause", "--all", "--yes");
  expect(await terminal.end()).toBe(0);
  expect(terminal.text).toContain("pause: 120 of 120");
  expect(terminal.text).toContain("paused 120 runs");
});

test.skipIf(!hasTerminals)("Ctrl-C ends long work between two runs, and it says so", async () => {
  const operator = new Operator("sqlite");
  const ids = Array.from({ length: 120 }, (_, at) => `run-${at}`);
  await Promise.all(ids.map((id) => operator.client.start(waiting, null, { id })));
  const other = new Database(operator.url.replace("sqlite:", ""));
  onTestFinished(() => void other.close());
  // Nobody else can write: the command waits with its first runs.
  other.exec("BEGIN IMMEDIATE");
  const terminal = at(operator, "pause", "--all", "--yes");
  await terminal.until("pause: 0 of 120");
  terminal.type("\u0003");
  await terminal.until("^C");
  other.exec("ROLLBACK");
  expect(await terminal.end()).toBe(1);
  expect(terminal.text).toContain("not tried: the same command again does the rest");
  const done = await operator.client.runs.count({ paused: true });
  expect(done).toBeLessThan(120);
  expect(terminal.text).toContain(`paused ${done} runs`);
});
