/** A run that becomes due goes on at that moment, whatever its worker does: the slow poll is for what nobody can know. */
import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

const POLL_MS = 2000;

const nap = workflow<number, string>({ name: "nap" }, async (ctx, ms) => {
  await ctx.sleep("nap", ms);
  return "rested";
});

test.each([1100, 1300, 1700, 2100])(
  "a run wakes when its sleep of %s ms is over, without any hint or poll",
  async (ms) => {
    const world = new World({ hints: false });
    const process = await world.worker([nap]);
    await process.start(nap, ms, { id: "nap" });
    await world.passUntil(() => world.run("nap").end !== null);
    expect(world.clock.monotonic()).toBeLessThan(ms + 50);
  },
);

test("a run that becomes due while no slot is free goes on when one is, also when a parked run leaves it", async () => {
  const world = new World();
  const busy = workflow({ name: "busy" }, async (ctx) => {
    await ctx.step("work", () => new Promise((resolve) => world.clock.after(3000, () => resolve(null))));
    await ctx.waitForSignal("never");
  });
  const process = await world.worker([nap, busy], { concurrency: 1 });
  const run = await process.start(nap, 1500, { id: "nap" });
  await world.passUntil(() => world.run("nap").owner === null);
  await process.start(busy, undefined, { id: "busy" });
  await world.passUntil(() => world.run("busy").waits.length > 0);
  const freeAt = world.clock.monotonic();
  await world.settle(run.result());
  expect(world.clock.monotonic() - freeAt).toBeLessThan(POLL_MS / 20);
});
