/** A whole workflow is paused: its runs are let go once their bodies are over, and none is claimed or born claimed. */
import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { gate, World } from "../support/world.ts";

const note = JSON.stringify("the bank is down");

test("what it holds of a paused workflow is let go after its bodies, and goes on once it is paused no more", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", async (step) => {
      world.effect(step, "first");
      await body.promise;
    });
    await ctx.step("second", (step) => world.effect(step, "second"));
  });
  const process = await world.worker([definition], { concurrency: 1 });
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  const pause = (text: string | null): Promise<unknown> =>
    world.settle(world.store.commit({ writes: [{ kind: "pause-workflow", workflow: "w", note: text }] }));
  await pause(note);
  await world.pass(3000);
  expect(world.run("r").owner).not.toBeNull(); // its body still executes
  body.open();
  await world.pass(60_000);
  expect(world.run("r")).toMatchObject({ owner: null, strikes: 0 });
  expect(world.journal("r")).toEqual(["step first"]);
  await pause(null);
  await world.settle(run.result());
  expect(world.effectNames).toEqual(["first", "second"]);
});

test("runs of a paused workflow are neither claimed nor born claimed; those of others are", async () => {
  const world = new World();
  const paused = workflow({ name: "paused" }, (ctx) => ctx.step("s", (step) => world.effect(step, "paused")));
  const other = workflow({ name: "other" }, (ctx) => ctx.step("s", (step) => world.effect(step, "other")));
  const process = await world.worker([paused, other]);
  const pause = (text: string | null): Promise<unknown> =>
    world.settle(
      world.store.commit({ writes: [{ kind: "pause-workflow", workflow: "paused", note: text }] }),
    );
  await pause(note);
  await world.pass(3000);
  const run = await process.start(paused, undefined, { id: "p" });
  await process.execute(other, undefined, { id: "o" });
  await world.pass(60_000);
  expect(world.effectNames).toEqual(["other"]);
  await pause(null);
  await world.settle(run.result());
  expect(world.effectNames).toEqual(["other", "paused"]);
});
