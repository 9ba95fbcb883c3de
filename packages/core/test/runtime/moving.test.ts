/** `client.runs.move`, which replays in real time: a run goes on with another version of its code, if that fits what the run has been through. */
import { expect, test } from "vitest";
import { type Context, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

async function old() {
  const world = new World();
  const first = workflow({ name: "w", version: "1" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    await ctx.waitForSignal("go");
    return "first";
  });
  const dying = await world.worker([first]);
  await dying.start(first, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  const stopped = dying.client;
  await world.settle(stopped.runs.pause("r"));
  await world.passUntil(() => world.run("r").owner === null);
  await world.settle(stopped.runs.resume("r"));
  return { world, first, runs: stopped.runs, client: stopped, dying };
}

const second = (world: World, name = "a") =>
  workflow({ name: "w", version: "2" }, async (ctx: Context) => {
    await ctx.step(name, (step) => world.effect(step, "again"));
    await ctx.waitForSignal("go");
    await ctx.step("b", (step) => world.effect(step, "b"));
    return "second";
  });

test("a run whose replay goes through is one of the new version, and no body was called for that", async () => {
  const { world, dying } = await old();
  dying.kill();
  const operator = world.process().client;
  await world.pass(60_000);
  await operator.runs.move("r", { to: second(world), by: "ada", because: "1 is gone" });
  expect(world.effectNames).toEqual(["a"]);
  const report = await world.settle(operator.runs.read("r"));
  expect(report.version).toBe("2");
  expect(report.journal.at(-1)).toMatchObject({
    kind: "move",
    value: { version: "2", from: "1", by: "ada", because: "1 is gone" },
  });
  const process = await world.worker([second(world)]);
  await world.settle(process.client.get("r").signal("go"));
  expect(await world.settle(process.client.get("r").result())).toBe("second");
  expect(world.effectNames).toEqual(["a", "b"]);
});

test("one that would diverge is refused with the place, and left as it is", async () => {
  const { world, dying } = await old();
  dying.kill();
  await world.pass(60_000);
  const before = world.run("r");
  const { runs } = world.process().client;
  const refusal = await rejection(runs.move("r", { to: second(world, "renamed") }));
  expect(refusal).toMatchObject({ code: "RUN_STATE" });
  expect(refusal.message).toContain("it can't go on with version 2");
  expect(refusal.message).toContain("the journal continues with step a (entry 1)");
  expect(world.run("r")).toEqual(before);
});

test("is refused for another workflow, the same version, and a run that is held or has ended", async () => {
  const { world, first, runs, client } = await old();
  const to = second(world);
  const other = workflow({ name: "other" }, () => 1);
  expect(await rejection(runs.move("r", { to: other }))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  await world.passUntil(() => world.run("r").owner === null);
  expect((await rejection(runs.move("r", { to: first }))).message).toContain("already");
  await world.settle(client.get("r").signal("go"));
  await world.settle(client.get("r").result());
  expect((await rejection(runs.move("r", { to }))).message).toContain("it has ended");
});

test("a stuck run stays stuck, or goes on at once when asked to", async () => {
  const world = new World();
  const bug = workflow({ name: "w", version: "1" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    throw new TypeError("bug");
  });
  const mended = workflow({ name: "w", version: "2" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "again"));
    return "mended";
  });
  const process = await world.worker([bug, mended]);
  const { runs } = process.client;
  for (const id of ["r1", "r2"]) await process.start(bug, undefined, { id });
  await world.passUntil(() => world.run("r1").stuck !== null && world.run("r2").stuck !== null);
  await runs.move("r1", { to: mended });
  expect(world.run("r1")).toMatchObject({ version: "2", stuck: { code: "BUG" } });
  expect(await runs.move({ status: "stuck", version: "1" }, { to: mended, resume: true })).toEqual({
    done: 1,
    refused: [],
  });
  expect(await world.settle(process.client.get("r2").result())).toBe("mended");
  await world.settle(runs.resume("r1"));
  expect(await world.settle(process.client.get("r1").result())).toBe("mended");
  expect(world.effectNames).toEqual(["a", "a"]);
});

test("a replay says what would come of a run with some code, and changes nothing", async () => {
  const { world, first } = await old();
  await world.passUntil(() => world.run("r").owner === null);
  const before = world.run("r");
  const { runs } = world.process().client;
  const waits = { is: "waiting", for: [{ kind: "signal", key: "go" }] };
  expect(await runs.replay("r", first)).toMatchObject(waits);
  expect(await runs.replay("r", second(world))).toMatchObject(waits);
  const renamed = await runs.replay("r", second(world, "renamed"));
  expect(renamed).toMatchObject({ is: "diverged", at: { seq: 1, kind: "step", key: "a" } });
  expect(
    await rejection(
      runs.replay(
        "r",
        workflow({ name: "other" }, () => 1),
      ),
    ),
  ).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(await rejection(runs.replay("nobody", first))).toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(world.run("r")).toEqual(before);
  expect(world.effectNames).toEqual(["a"]);
});

test("what is no workflow is refused before the run is looked at", async () => {
  const { client } = new World().process();
  await expect(client.runs.move("r", { to: undefined as never })).rejects.toThrow(
    "what a run is moved to must be a workflow, as workflow() gives it, not undefined",
  );
});
