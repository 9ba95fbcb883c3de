/** Commands on something of a run, done to several: the step or signal has an option of its own, and every word is an id, or none and a filter. */
import { FatalError, workflow } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { KINDS, Operator } from "./support/operator.ts";

const doubtful = workflow({ name: "doubtful" }, (ctx) =>
  ctx.step(
    "charge",
    () => {
      throw new Error("no reply");
    },
    { retry: { maxAttempts: 1, onExhausted: "stick" } },
  ),
);

const approved = workflow({ name: "approved" }, (ctx) => ctx.waitForSignal("approval"));

const undoing = workflow({ name: "undoing" }, async (ctx) => {
  await ctx.step("charge", () => "ch_1", {
    compensate: () => {
      throw new FatalError("the bank declines the refund");
    },
  });
  throw new FatalError("out of stock");
});

async function stuckRuns(operator: Operator, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, at) => `d-${at + 1}`);
  for (const id of ids) await operator.client.start("doubtful", null, { id });
  for (const id of ids) await operator.until(id, "stuck");
  return ids;
}

describe.each(KINDS)("on %s", (kind) => {
  test("resolve: a filter, several ids, ids from a pipe", async () => {
    const operator = new Operator(kind);
    await operator.worker(doubtful);
    const ids = await stuckRuns(operator, 5);
    const filter = ["resolve", "--status", "stuck", "--workflow", "doubtful", "--step", "charge"];
    const planned = await operator.json([...filter, "--rerun", "--dry-run"]);
    expect(planned).toMatchObject({ operation: "resolve", runs: ids.map((id) => ({ id, refusal: null })) });
    const nobodyAsked = await operator.type([...filter, "--rerun"]);
    expect(nobodyAsked).toMatchObject({ code: 2, out: "" });
    expect(nobodyAsked.err).toContain("resolve 5 runs");

    const some = await operator.json(["resolve", "d-1", "d-2", "--step", "charge", "--result", "1", "--yes"]);
    expect(some).toEqual({ operation: "resolve", done: ["d-1", "d-2"], refused: [], unknown: [], left: 0 });
    const piped = await operator.type(["resolve", "-", "--step", "charge", "--error", "declined", "--yes"], {
      input: "d-3\n",
    });
    expect(piped).toMatchObject({ code: 0, out: "resolved 1 run\n" });
    await operator.until("d-3", "failed");
    expect(await operator.json([...filter, "--result", '"ch"', "--yes"])).toMatchObject({
      done: ["d-4", "d-5"],
    });
    await operator.until("d-5", "completed");
    expect(await operator.client.get("d-5").result()).toBe("ch");
    expect((await operator.type([...filter, "--rerun", "--yes"])).out).toBe("no run to resolve\n");
  });

  test("resolve: a command line that says two things is refused, and changes nothing", async () => {
    const operator = new Operator(kind);
    await operator.worker(doubtful);
    await stuckRuns(operator, 2);
    for (const words of [
      ["--rerun"],
      ["d-1", "--rerun"],
      ["d-1", "d-2", "charge", "--rerun"],
      ["d-1", "charge", "--status", "stuck", "--rerun"],
      ["d-1", "d-2", "--step", "charge", "--status", "stuck", "--rerun"],
      ["--status", "stuck", "--rerun"],
      ["-", "charge", "--result", "-"],
      ["-", "--step", "charge", "--result", "-"],
    ])
      expect((await operator.type(["resolve", ...words, "--yes"])).code, `typed ${words.join(" ")}`).toBe(2);
    expect(await operator.client.runs.count({ status: "stuck" })).toBe(2);
  });

  test("skip: compensations that no run can get past", async () => {
    const operator = new Operator(kind);
    await operator.worker(undoing);
    const ids = ["u-1", "u-2", "u-3"];
    for (const id of ids) await operator.client.start("undoing", null, { id });
    for (const id of ids) await operator.until(id, "stuck");
    const skip = ["skip", "--step", "charge", "--failed-with", "DECLINES the refund"];
    expect(await operator.json([...skip, "--limit", "1", "--yes"])).toMatchObject({ done: ["u-1"] });
    await operator.until("u-1", "failed");
    expect(await operator.json([...skip, "--yes"])).toMatchObject({ done: ["u-2", "u-3"] });
    for (const id of ids) await operator.until(id, "failed");
  });

  test("signal: to all that wait for it, and to none twice", async () => {
    const operator = new Operator(kind);
    await operator.worker(approved);
    const ids = ["a-1", "a-2", "a-3"];
    for (const id of ids) await operator.client.start("approved", null, { id });
    for (const id of ids) await operator.until(id, "waiting");
    const signal = ["signal", "--name", "approval", "--payload", '{"by":"ada"}', "--step", "approval"];
    const withoutId = await operator.type([...signal, "--yes"]);
    expect(withoutId).toMatchObject({ code: 2, out: "" });
    expect(withoutId.err).toContain("--id");
    const some = await operator.json([...signal, "--id", "monday", "--limit", "2", "--yes"]);
    expect(some).toEqual({ operation: "signal", done: ["a-1", "a-2"], refused: [], unknown: [], left: 0 });
    await operator.until("a-2", "completed");
    expect(await operator.json([...signal, "--id", "monday", "--yes"])).toMatchObject({ done: ["a-3"] });
    await operator.until("a-3", "completed");
    expect(await operator.client.get("a-3").result()).toEqual({ by: "ada" });
    for (const words of [
      ["a-1", "approval", "1", "--payload", "1"],
      ["a-1", "approval", "1", "2"],
      ["-", "approval", "-", "--id", "x"],
    ])
      expect((await operator.type(["signal", ...words])).code).toBe(2);
  });

  test("fork: several, under ids that say whose they are", async () => {
    const operator = new Operator(kind);
    await operator.worker(doubtful);
    await stuckRuns(operator, 2);
    const fork = ["fork", "--status", "stuck", "--from", "charge"];
    expect((await operator.type([...fork, "--yes"])).err).toContain("--suffix");
    expect((await operator.type([...fork, "--suffix=-b"])).code).toBe(2);
    expect((await operator.type(["fork", "d-1", "--from", "charge", "--id", "x", "--suffix=-b"])).code).toBe(
      2,
    );
    expect(await operator.json(["fork", "d-1", "--from", "charge", "--dry-run"])).toMatchObject({
      dryRun: true,
    });
    const forked = await operator.json([...fork, "--suffix=-b", "--yes"]);
    expect(forked).toEqual({ operation: "fork", done: ["d-1", "d-2"], refused: [], unknown: [], left: 0 });
    await operator.until("d-2-b", "stuck");
    const again = await operator.type(["fork", "d-1", "d-2", "--from", "charge", "--suffix=-b", "--yes"]);
    expect(again.code).toBe(1);
    expect(again.out).toContain("give the fork another id");
    expect(await operator.client.runs.count()).toBe(4);
  });
});
