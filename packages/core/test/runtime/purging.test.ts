/** `client.runs.purge`: ended runs are forgotten, with what they called, and their ids stay taken. */
import { expect, test } from "vitest";
import { FatalError, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

const child = workflow<string, string>({ name: "child" }, (ctx, how) =>
  how === "wait" ? ctx.waitForSignal<string>("go") : how,
);
const work = workflow<string, string>({ name: "work" }, async (ctx, how) => {
  if (how === "fail") throw new FatalError("no");
  if (how === "wait") return ctx.waitForSignal<string>("go");
  return ctx.call(child, how === "call" ? "wait" : how, { name: "child" });
});

async function office() {
  const world = new World();
  const process = await world.worker([work, child]);
  const { client } = process;
  const started = async (id: string, how: string) => {
    await process.start(work, how, { id });
    await world.pass(1000);
  };
  return { world, process, runs: client.runs, client, started };
}

const ids = (world: World): readonly string[] =>
  world.store
    .dump()
    .runs.map(({ id }) => id)
    .toSorted();

test("one run is forgotten with all that it called, and its id stays taken", async () => {
  const { world, client, runs, started } = await office();
  await started("a", "done");
  expect(ids(world)).toEqual(["a", "a/child"]);
  await world.settle(runs.purge("a"));
  expect(ids(world)).toEqual([]);
  expect(await rejection(world.settle(runs.read("a")))).toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await rejection(world.settle(runs.purge("a")))).toMatchObject({ code: "RUN_NOT_FOUND" });
  await world.settle(client.start(work, "done", { id: "a" }));
  expect(ids(world)).toEqual([]);
  expect(await rejection(world.settle(client.start(work, "fail", { id: "a" })))).toMatchObject({
    code: "RUN_CONFLICT",
  });
});

test("a run that has not ended, or whose caller has not, is kept", async () => {
  const { world, runs, started } = await office();
  await started("waits", "wait");
  await started("calls", "call");
  expect(await rejection(world.settle(runs.purge("waits")))).toMatchObject({ code: "RUN_STATE" });
  expect(await rejection(world.settle(runs.purge("calls")))).toMatchObject({ code: "RUN_STATE" });
  expect(ids(world)).toEqual(["calls", "calls/child", "waits"]);
});

test("those of a workflow that ended so long ago, in pages; what they called goes with them", async () => {
  const { world, process, runs, started } = await office();
  await started("old-failed", "fail");
  for (let n = 1; n <= 120; n++) await process.start(work, `n${n}`, { id: `old-${n}` });
  await started("waits", "wait");
  await world.pass(400_000);
  await started("new", "done");
  await started("new-failed", "fail");
  expect(
    await world.settle(runs.purge({ workflow: "work", status: "completed", olderThan: "5m" }, { limit: 50 })),
  ).toEqual({ purged: 50, kept: 0 });
  expect(await world.settle(runs.count({ workflow: "child" }))).toBe(71);
  expect(await world.settle(runs.purge({ workflow: "work", status: "completed", olderThan: "5m" }))).toEqual({
    purged: 70,
    kept: 0,
  });
  expect(ids(world)).toEqual(["new", "new-failed", "new/child", "old-failed", "waits"]);
  expect(await world.settle(runs.purge({ olderThan: "5m" }))).toEqual({ purged: 1, kept: 0 });
  expect(await world.settle(runs.purge({ olderThan: 0, status: ["failed"] }))).toEqual({
    purged: 1,
    kept: 0,
  });
  expect(ids(world)).toEqual(["new", "new/child", "waits"]);
});

test("a child of a run that has not ended is kept, and said to be", async () => {
  const { world, client, runs, started } = await office();
  const parent = workflow({ name: "parent" }, async (ctx) => {
    await ctx.call(child, "x", { name: "child" });
    await ctx.waitForSignal("go");
  });
  const process = await world.worker([parent]);
  await process.start(parent, undefined, { id: "p" });
  await started("other", "fail");
  await world.passUntil(() => world.run("p/child").end !== null);
  await world.pass(10_000);
  expect(await world.settle(runs.purge({ olderThan: "1s" }))).toEqual({ purged: 1, kept: 1 });
  await world.settle(client.get("p").signal("go"));
  await world.settle(client.get("p").result());
  expect((await world.settle(runs.purge({ olderThan: 0 }))).kept).toBe(0);
  expect(ids(world)).toEqual([]);
});

test("only ended runs can be purged", async () => {
  const { world, runs } = await office();
  const status = ["completed", "stuck"] as unknown as "completed";
  expect(await rejection(world.settle(runs.purge({ olderThan: "1d", status })))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(await rejection(world.settle(runs.purge({ olderThan: "soon" })))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("a call of a run that was purged says so", async () => {
  const { world, runs, process } = await office();
  await process.execute(child, "done", { id: "c" });
  await world.settle(runs.purge("c"));
  const caller = workflow({ name: "caller" }, (ctx) => rejection(ctx.call(child, "done", { id: "c" })));
  const second = await world.worker([caller]);
  expect(await second.execute(caller, undefined, { id: "r" })).toMatchObject({
    code: "RUN_CONFLICT",
    message: expect.stringContaining("it was purged") as string,
  });
});
