/** A deploy: the new worker is there, the old one is told to stop. No run waits for a lease to run out. */
import { expect, test } from "vitest";
import { Client, type Context, workflow } from "../../src/index.ts";
import { gate, untilAborted, World } from "../support/world.ts";

/** Far longer than these tests let pass: whoever waited for it would be noticed. */
const lease = "10m";

test("F17: parked, idle and executing runs go on in the new worker at once, none is lost, done twice or blamed", async () => {
  const world = new World();
  const bodies = new Map<string, number>();
  const count = (name: string): void => {
    bodies.set(name, (bodies.get(name) ?? 0) + 1);
  };
  const finishes = gate();
  const step = (ctx: Context, name: string, body: () => unknown = () => {}): Promise<unknown> =>
    ctx.step(name, () => {
      count(`${ctx.run.id} ${name}`);
      return body();
    });
  const parked = workflow({ name: "parked" }, async (ctx) => {
    await step(ctx, "before");
    await ctx.waitForSignal("go");
    await step(ctx, "after");
  });
  const idle = workflow({ name: "idle" }, async (ctx) => {
    await ctx.step(
      "flaky",
      ({ attempt }) => {
        count(`${ctx.run.id} flaky ${attempt}`);
        if (attempt === 1) throw new Error("busy");
      },
      { retry: { initialDelay: "4s", factor: 1 } },
    );
  });
  const executing = workflow({ name: "executing" }, async (ctx) => {
    await step(ctx, "slow", () => finishes.promise);
    await step(ctx, "after");
  });
  const hanging = workflow({ name: "hanging" }, (ctx) =>
    ctx.step("hang", (body) => {
      count(`${ctx.run.id} attempt ${body.attempt}`);
      return bodies.get("hanging attempt 1") === 1 ? untilAborted(body) : "done";
    }),
  );
  const all = [parked, idle, executing, hanging];
  const old = world.process();
  const oldWorker = await old.startWorker(all, { lease });
  const runs = [
    await old.start(parked, undefined, { id: "parked" }),
    await old.start(idle, undefined, { id: "idle" }),
    await old.start(executing, undefined, { id: "executing" }),
    await old.start(hanging, undefined, { id: "hanging" }),
  ];
  await world.pass(1000);
  const next = await world.worker(all, { lease });
  const stoppedAt = world.clock.monotonic();
  const stopping = oldWorker.stop({ grace: "5s" });
  await world.pass(1000);
  // What executes nothing is let go at once; new runs are begun by the new worker.
  expect(world.run("idle").owner).not.toBe(1);
  await world.settle((await next.start(parked, undefined, { id: "new" })).signal("go", undefined));
  await world.settle(next.client.get("new").result());
  finishes.open();
  expect(await world.settle(stopping)).toEqual([]);
  old.kill();
  const client = new Client({ store: next.store, clock: next.clock });
  await world.settle(client.get("parked").signal("go", undefined));
  await world.settle(Promise.all(runs.map(({ id }) => client.get(id).result())));
  expect(world.clock.monotonic() - stoppedAt).toBeLessThan(15_000);
  expect(Object.fromEntries(bodies)).toEqual({
    "parked before": 1,
    "parked after": 1,
    "idle flaky 1": 1,
    "idle flaky 2": 1,
    "executing slow": 1,
    "executing after": 1,
    "hanging attempt 1": 2, // an interruption uses up no attempt
    "new before": 1,
    "new after": 1,
  });
  for (const { id } of runs) expect(world.run(id)).toMatchObject({ end: "completed", strikes: 0 });
});

test("a rolling deploy: what the old version began is left to workers that have it, what is new is not", async () => {
  const world = new World();
  const handler = async (ctx: Context): Promise<string> => {
    await ctx.waitForSignal("go");
    return ctx.run.version;
  };
  const first = workflow({ name: "w" }, handler);
  const second = workflow({ name: "w", version: "2" }, handler);
  const old = world.process();
  const oldWorker = await old.startWorker([first], { lease });
  await old.start(first, undefined, { id: "a" });
  const next = await world.worker([first, second], { lease });
  await next.start(second, undefined, { id: "b" });
  await world.settle(oldWorker.stop());
  old.kill();
  for (const id of ["a", "b"]) await world.settle(next.client.get(id).signal("go", undefined));
  expect(await world.settle(next.client.get("a").result())).toBe("1");
  expect(await world.settle(next.client.get("b").result())).toBe("2");
});
