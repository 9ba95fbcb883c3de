/** The command as a process among others: who reads its output goes away, the disk is full, Ctrl-C comes in the middle of much. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { workflow } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, Operator } from "./support/operator.ts";

const MAIN = join(import.meta.dirname, "../src/main.ts");

const waiting = workflow({ name: "waiting" }, async (ctx) => {
  await ctx.waitForSignal("go");
});

async function withRuns(
  count: number,
): Promise<{ readonly operator: Operator; readonly ids: readonly string[] }> {
  const operator = new Operator("sqlite");
  const ids = Array.from({ length: count }, (_, at) => `run-${at}`);
  await Promise.all(ids.map((id) => operator.client.start(waiting, null, { id })));
  return { operator, ids };
}

type Stdio = "pipe" | "ignore" | number;

function everstep(
  { cwd, url }: Operator,
  words: readonly string[],
  [stdin, stdout]: readonly [stdin: Stdio, stdout: Stdio] = ["ignore", "pipe"],
): ChildProcess {
  const child = spawn(process.execPath, ["--conditions=@everstep/source", MAIN, ...words], {
    cwd,
    env: { ...process.env, EVERSTEP_STORE: url },
    stdio: [stdin, stdout, "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function answerOf(
  child: ChildProcess,
): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> {
  const { stdout, stderr } = child;
  const ended = once(child, "close") as Promise<[number | null]>;
  const [out, err] = await Promise.all([
    stdout === null ? "" : text(stdout),
    stderr === null ? "" : text(stderr),
  ]);
  const [code] = await ended;
  return { code, out, err };
}

test("whoever reads the answer may go away", async () => {
  const { operator } = await withRuns(2000);
  const child = everstep(operator, ["list", "-n", "2000", "--json"]);
  child.stdout?.once("data", () => child.stdout?.destroy());
  const [code] = (await once(child, "exit")) as [number | null];
  expect([code, child.signalCode]).toEqual([0, null]);
  expect(child.stderr === null ? "" : await text(child.stderr)).toBe("");
});

describe.skipIf(!existsSync("/dev/full"))("where a device is always full", () => {
  test("an answer that can't be written is a failure, and says so", async () => {
    const { operator } = await withRuns(1);
    const full = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(full));
    const { code, err } = await answerOf(everstep(operator, ["list"], ["ignore", full]));
    expect(code).toBe(1);
    expect(err).toMatch(/^everstep: the answer could not be written: ENOSPC.*\n$/);
  });
});

test("Ctrl-C in the middle of much: what was done is told, and the same command again does the rest", async () => {
  const { operator, ids } = await withRuns(3000);
  const { client } = operator;
  const pause = (): ChildProcess => {
    const child = everstep(operator, ["pause", "-", "--yes", "--json"], ["pipe", "pipe"]);
    child.stdin?.end(ids.join("\n"));
    return child;
  };
  const child = pause();
  const answer = answerOf(child);
  await eventually("some are paused", async () => (await client.runs.count({ paused: true })) > 0);
  child.kill("SIGINT");
  const { code, out, err } = await answer;
  expect([code, err]).toEqual([1, ""]);
  const { done, refused, left } = JSON.parse(out) as {
    readonly done: readonly string[];
    readonly refused: readonly unknown[];
    readonly left: number;
  };
  expect(refused).toEqual([]);
  expect(left).toBeGreaterThan(0);
  expect(done.length + left).toBe(ids.length);
  expect(await client.runs.count({ paused: true })).toBe(done.length);
  expect(await answerOf(pause())).toMatchObject({ code: 0, err: "" });
  expect(await client.runs.count({ paused: true })).toBe(ids.length);
});

test("a hundred thousand ids on standard input, and none", async () => {
  const { operator } = await withRuns(1);
  const child = everstep(operator, ["pause", "-", "--dry-run", "--json"], ["pipe", "pipe"]);
  child.stdin?.end(Array.from({ length: 100_000 }, (_, at) => `run-${at}\n`).join(""));
  const { code, out } = await answerOf(child);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ runs: [{ id: "run-0" }], refused: { length: 99_999 } });
  const none = await answerOf(everstep(operator, ["pause", "-", "--yes"]));
  expect(none).toEqual({ code: 0, out: "no run to pause\n", err: "" });
});
