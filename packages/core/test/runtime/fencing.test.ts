/** P5, F63–F67: a worker that was silent for too long writes nothing and begins no body. */
import { expect, test } from "vitest";
import { Client, type StepContext, StoreUnavailableError, Worker, workflow } from "../../src/index.ts";
import { Freezer } from "../../src/testing/simulation/freezer.ts";
import { gate, World } from "../support/world.ts";

const LEASE_MS = 5000;

class Zombie {
  readonly freezer = new Freezer();
  readonly client: Client;
  readonly worker: Worker;

  constructor(
    world: World,
    workflows: ConstructorParameters<typeof Worker>[0]["workflows"],
    renewed: () => void = () => {},
  ) {
    const store = this.freezer.store(world.store.reopen());
    const renew = store.renew.bind(store);
    store.renew = (lease) => {
      renewed();
      return renew(lease);
    };
    const clock = this.freezer.clock(world.clock);
    this.client = new Client({ store, clock });
    this.worker = new Worker({ store, clock, workflows, lease: LEASE_MS, logger: world.logger });
  }
}

/** Steps a, b, c; each body takes a second. */
function threeSteps(world: World, onBody: (name: string, step: StepContext) => void) {
  return workflow({ name: "w" }, async (ctx) => {
    for (const name of ["a", "b", "c"])
      await ctx.step(name, async (step) => {
        onBody(name, step);
        await new Promise<void>((resolve) => world.clock.after(1000, resolve));
        return name;
      });
    return "done";
  });
}

test("F63: frozen at any instant for longer than its lease, it writes nothing that another owner could miss", async () => {
  for (let at = 0; at <= 3200; at += 100) {
    const world = new World();
    const bodies: string[] = [];
    const definition = threeSteps(world, (name, { idempotencyKey }) =>
      bodies.push(`${name} ${idempotencyKey}`),
    );
    const zombie = new Zombie(world, [definition]);
    await world.settle(zombie.worker.start());
    const run = await world.settle(zombie.client.start(definition, undefined, { id: "r" }));
    await world.pass(at);
    zombie.freezer.freeze();
    const other = await world.worker([definition]);
    await world.pass(LEASE_MS + 2000);
    const before = world.run("r").journal;
    zombie.freezer.thaw(world.clock);
    await world.settle(run.result());
    await world.settle(other.client.get("r").result());
    const { journal, attempt, end } = world.run("r");
    expect(end).toBe("completed");
    expect(journal.slice(0, before.length)).toEqual(before);
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_, index) => index + 1));
    expect(journal.filter(({ kind }) => kind === "step").map(({ key }) => key)).toEqual(["a", "b", "c"]);
    const attempts = journal.map((entry) => entry.attempt);
    expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
    expect(attempts.at(-1)).toBe(attempt);
    for (const name of ["a", "b", "c"])
      expect(bodies.filter((body) => body === `${name} r/${name}`).length).toBeLessThanOrEqual(2);
  }
});

test("F64: thawed, it begins no body; the one it was in is aborted, and its result goes nowhere", async () => {
  const world = new World();
  const first = gate<string>();
  const reasons: string[] = [];
  const bodies: number[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    const a = await ctx.step("a", (step) => {
      bodies.push(world.clock.monotonic());
      step.signal.addEventListener("abort", () => reasons.push(String(step.signal.reason)));
      return bodies.length === 1 ? first.promise : "from the second worker";
    });
    await ctx.step("b", (step) => world.effect(step, "b"));
    return a;
  });
  const zombie = new Zombie(world, [definition]);
  await world.settle(zombie.worker.start());
  await world.settle(zombie.client.start(definition, undefined, { id: "r" }));
  await world.passUntil(() => bodies.length === 1);
  zombie.freezer.freeze();
  const other = await world.worker([definition]);
  expect(await world.settle(other.client.get("r").result())).toBe("from the second worker");
  zombie.freezer.thaw(world.clock);
  await world.pass(1000);
  expect(reasons.join()).toContain("taken over");
  first.open("from the zombie");
  await world.pass(10_000);
  expect(world.run("r").result).toBe('"from the second worker"');
  expect(world.effectNames).toEqual(["b"]);
  expect(bodies).toHaveLength(2);
});

test("a fenced worker joins again under a new id and goes on with other runs", async () => {
  const world = new World();
  const definition = threeSteps(world, () => {});
  const zombie = new Zombie(world, [definition]);
  await world.settle(zombie.worker.start());
  zombie.freezer.freeze();
  const other = world.process();
  const standby = await other.startWorker([]);
  await world.pass(LEASE_MS + 1000);
  await world.settle(standby.stop());
  zombie.freezer.thaw(world.clock);
  await world.pass(1000);
  const run = await world.settle(zombie.client.start(definition, undefined, { id: "r" }));
  expect(await world.settle(run.result())).toBe("done");
  expect(world.store.dump().workers.map(({ id, live }) => [id, live])).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ]);
});

test("it does not claim a run whose old body still lives in it", async () => {
  const world = new World();
  const stubborn = gate<string>();
  let bodies = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("stubborn", () => {
      bodies += 1;
      return bodies === 1 ? stubborn.promise : "second";
    }),
  );
  const zombie = new Zombie(world, [definition]);
  await world.settle(zombie.worker.start());
  const run = await world.settle(zombie.client.start(definition, undefined, { id: "r" }));
  await world.passUntil(() => bodies === 1);
  zombie.freezer.freeze();
  const other = world.process();
  const reaper = await other.startWorker([]);
  await world.pass(LEASE_MS + 1000);
  await world.settle(reaper.stop());
  zombie.freezer.thaw(world.clock);
  await world.pass(30_000);
  expect(bodies).toBe(1);
  expect(world.run("r").owner).toBeNull();
  stubborn.open("late");
  expect(await world.settle(run.result())).toBe("second");
  expect(bodies).toBe(2);
});

test("F66: a worker whose event loop was blocked past its lease begins no body before it has renewed", async () => {
  const world = new World();
  const order: string[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("blocks", () => {
      // As a loop that does not return: time passes, and nothing of this process runs.
      zombie.freezer.freeze();
      world.clock.after(LEASE_MS * 2, () => {
        order.push("goes on");
        zombie.freezer.thaw(world.clock);
      });
    });
    await ctx.step("next", () => order.push("next"));
  });
  const zombie = new Zombie(world, [definition], () => order.push("renew"));
  await world.settle(zombie.worker.start());
  const run = await world.settle(zombie.client.start(definition, undefined, { id: "r" }));
  await world.settle(run.result());
  const after = order.slice(order.indexOf("goes on"));
  expect(after.slice(0, 3)).toEqual(["goes on", "renew", "next"]);
  expect(world.store.dump().workers).toHaveLength(1);
});

test("I15, F48: a worker whose clock is off claims nothing early and loses no lease", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.sleep("nap", "20s");
    await ctx.step("work", () => new Promise<void>((resolve) => world.clock.after(20_000, resolve)));
    return ctx.now().getTime() - ctx.run.startedAt.getTime();
  });
  for (const skewMs of [600_000, -600_000]) {
    const clock = { ...bound(world), now: () => world.clock.now() + skewMs };
    const worker = new Worker({
      store: world.store.reopen(),
      clock,
      workflows: [definition],
      lease: LEASE_MS,
      logger: world.logger,
    });
    await world.settle(worker.start());
    const client = world.process();
    const ms = await client.execute(definition, undefined);
    expect(ms).toBeGreaterThanOrEqual(40_000);
    expect(ms).toBeLessThan(41_000);
    await world.settle(worker.stop());
  }
  expect(world.store.dump().runs.map(({ attempt }) => attempt)).toEqual([2, 2]);
});

function bound({ clock }: World) {
  return {
    monotonic: () => clock.monotonic(),
    random: () => clock.random(),
    macrotask: (run: () => void) => clock.macrotask(run),
    after: (ms: number, run: () => void) => clock.after(ms, run),
  };
}

test("P2 F38: a run that was born under a lease which is over is not adopted, when the answer comes at last", async () => {
  const world = new World();
  const bodies: string[] = [];
  const definition = (who: string) => workflow({ name: "w" }, (ctx) => ctx.step("a", () => bodies.push(who)));
  const first = await world.worker([definition("first")], { lease: LEASE_MS });
  const { commit, renew, join } = {
    commit: first.store.commit.bind(first.store),
    renew: first.store.renew.bind(first.store),
    join: first.store.join.bind(first.store),
  };
  let isOut = true;
  let rejoined = false;
  const away = (): never => {
    throw new StoreUnavailableError("away");
  };
  // The start is applied, and nobody is told, until the worker has a lease again.
  first.store.commit = async (batch) => {
    const outcomes = await commit(batch);
    return rejoined ? outcomes : away();
  };
  first.store.renew = async (lease) => (isOut ? away() : renew(lease));
  first.store.join = async (request) => {
    const lease = await join(request);
    rejoined = true;
    return lease;
  };
  const starting = first.start(definition("first"), undefined, { id: "r" });
  await world.pass(1000);
  await world.worker([definition("second")], { lease: LEASE_MS });
  await world.pass(LEASE_MS * 2);
  expect(world.run("r").end).toBe("completed");
  isOut = false;
  await world.settle(starting);
  await world.pass(LEASE_MS);
  expect([rejoined, bodies]).toEqual([true, ["second"]]);
});

test("P2: when the answer to a claim is so late that the run was given back, no body begins for it", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.step("a", (step) => world.effect(step, "a")));
  const late = await world.worker([definition], { lease: "60s" });
  const answered = gate();
  const claim = late.store.claim.bind(late.store);
  late.store.claim = async (request) => {
    const result = await claim(request);
    if (result.claims.length > 0) await answered.promise;
    return result;
  };
  const run = await world.settle(world.process().client.start(definition, undefined, { id: "r" }));
  await world.passUntil(() => world.run("r").attempt === 1 && world.run("r").owner === null);
  await world.worker([definition]);
  await world.settle(run.result());
  expect(world.effectNames).toEqual(["a"]);
  answered.open();
  await world.pass(2000);
  expect(world.effectNames).toEqual(["a"]);
});
