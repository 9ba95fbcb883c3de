/** A store that is out is an outage: waited for, and no attempt of any step is used up by it. */
import { expect, test } from "vitest";
import { StoreError, StoreUnavailableError, workflow } from "../../src/index.ts";
import { type Process, rejection, World } from "../support/world.ts";

/** From now on every call of the process is refused, until it is switched on again. */
function breaker({ store }: Process): { out: boolean; calls: number } {
  const state = { out: false, calls: 0 };
  const check = (): void => {
    if (!state.out) return;
    state.calls += 1;
    throw new StoreUnavailableError("the database is away");
  };
  const { commit, claim, renew, list } = {
    commit: store.commit.bind(store),
    claim: store.claim.bind(store),
    renew: store.renew.bind(store),
    list: store.list.bind(store),
  };
  store.commit = async (batch) => (check(), commit(batch));
  store.claim = async (request) => (check(), claim(request));
  store.renew = async (lease) => (check(), renew(lease));
  store.list = async (filter, page) => (check(), list(filter, page));
  return state;
}

test("steps wait for the store, and their results are kept", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const attempts: number[] = [];
    for (const name of ["a", "b", "c"])
      attempts.push(
        await ctx.step(
          name,
          (step) => {
            world.effect(step, name);
            if (name === "a") database.out = true;
            return step.attempt;
          },
          { retry: false },
        ),
      );
    return attempts;
  });
  const process = await world.worker([definition], { lease: "60s" });
  const database = breaker(process);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(20_000);
  expect(world.effectNames).toEqual(["a"]);
  expect(database.calls).toBeGreaterThan(5);
  expect(database.calls).toBeLessThan(200);
  database.out = false;
  expect(await world.settle(run.result())).toEqual([1, 1, 1]);
  expect(world.effectNames).toEqual(["a", "b", "c"]);
});

test("F61: a worker whose store goes out while it works says so, and why, once a minute at most", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (let n = 0; n < 30; n++)
      await ctx.step("step", () => new Promise<void>((resolve) => world.clock.after(1000, resolve)), {
        key: `${n}`,
      });
  });
  const process = await world.worker([definition], { lease: "1h" });
  const database = breaker(process);
  const run = await process.start(definition, undefined);
  for (let outage = 0; outage < 10; outage++) {
    database.out = true;
    await world.pass(1500);
    database.out = false;
    await world.pass(2500);
  }
  const line = {
    level: "warn",
    message: "this worker waits for its store: the database is away",
    fields: {},
  };
  expect(world.lines).toEqual([line]);
  database.out = true;
  await world.pass(60_000);
  expect(world.lines).toEqual([line, line]);
  database.out = false;
  await world.settle(run.result());
});

test("an outage longer than the lease costs the lease, and nothing else", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (const name of ["a", "b"])
      await ctx.step(name, async (step) => {
        world.effect(step, name);
        await new Promise<void>((resolve) => world.clock.after(1000, resolve));
      });
    return "done";
  });
  const first = await world.worker([definition]);
  const database = breaker(first);
  await first.start(definition, undefined, { id: "r" });
  await world.pass(1500);
  database.out = true;
  await world.worker([definition]);
  await world.pass(10_000);
  expect(world.run("r")).toMatchObject({ end: "completed", attempt: 2 });
  database.out = false;
  await world.pass(10_000);
  expect(await first.execute(definition, undefined)).toBe("done");
  expect(world.journal("r")).toEqual(["step a", "step b", "end completed"]);
});

test("a worker that starts while the store is out waits for it", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, () => 1);
  const process = world.process();
  const join = process.store.join.bind(process.store);
  let isOut = true;
  process.store.join = async (request) => {
    if (isOut) throw new StoreUnavailableError("away");
    return join(request);
  };
  const starting = process.newWorker([definition]).start();
  await world.pass(30_000);
  expect(world.lines, "said once").toEqual([
    { level: "warn", message: "this worker waits for its store: away", fields: {} },
  ]);
  isOut = false;
  await world.settle(starting);
  expect(await process.execute(definition, undefined)).toBe(1);
});

test("a store that can't be used says so at start", async () => {
  const world = new World();
  const process = world.process();
  process.store.join = () => Promise.reject(new StoreError("the file is no database"));
  expect(await rejection(process.newWorker([]).start())).toMatchObject({ code: "STORE" });
});

test("a call of a client is rejected after 30 s, and started again with the same id it is the same run", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, () => 1);
  const process = world.process();
  const database = breaker(process);
  database.out = true;
  const start = (): Promise<{ id: string }> => process.client.start(definition, undefined, { id: "r" });
  expect(await rejection(world.settle(start()))).toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(world.clock.monotonic()).toBeLessThan(31_000);
  database.out = false;
  expect((await world.settle(start())).id).toBe("r");
  expect(world.store.dump().runs).toHaveLength(1);
});

test("result() goes on asking after an outage", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.sleep("nap", "20s"));
  await world.worker([definition]);
  const client = world.process();
  const database = breaker(client);
  const run = await client.start(definition, undefined);
  const result = run.result();
  await world.pass(1000);
  database.out = true;
  await world.pass(60_000);
  database.out = false;
  expect(await world.settle(result)).toBeUndefined();
});

test("a commit that fails for good costs its runs their attempt, not the worker its life", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    await ctx.step("b", (step) => world.effect(step, "b"));
    return "done";
  });
  const process = await world.worker([definition]);
  const commit = process.store.commit.bind(process.store);
  let failures = 1;
  process.store.commit = (batch) => {
    const isAdvance = batch.writes.some(({ kind }) => kind === "advance");
    if (isAdvance && failures-- > 0) return Promise.reject(new StoreError("a broken promise"));
    return commit(batch);
  };
  const run = await process.start(definition, undefined, { id: "r" });
  expect(await world.settle(run.result(), 60_000)).toBe("done");
});
