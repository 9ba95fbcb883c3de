/** F19, F20: a run that ends its process becomes stuck by itself, and takes no neighbour with it. */
import { expect, test } from "vitest";
import { type AnyWorkflow, type Workflow, workflow } from "../../src/index.ts";
import { gate, type Process, rejection, World } from "../support/world.ts";

/** A process that is replaced whenever it died, until the condition holds. */
class Supervisor {
  readonly world: World;
  process: Process;
  deaths = 0;
  readonly #workflows: readonly AnyWorkflow[];
  readonly #concurrency: number;

  constructor(world: World, workflows: readonly AnyWorkflow[], concurrency: number) {
    this.world = world;
    this.#workflows = workflows;
    this.#concurrency = concurrency;
    this.process = world.process();
  }

  async until(condition: () => boolean, patienceMs = 600_000): Promise<void> {
    const until = this.world.clock.monotonic() + patienceMs;
    while (!condition()) {
      // Known before its worker starts: a body may end it at once.
      this.process = this.world.process();
      await this.process.startWorker(this.#workflows, { concurrency: this.#concurrency });
      await this.world.passUntil(
        () => this.process.store.dead || condition(),
        until - this.world.clock.monotonic(),
      );
      if (this.process.store.dead) this.deaths += 1;
    }
  }

  /** As `process.exit()` in a body: nothing after it runs. */
  exit(): Promise<never> {
    this.process.kill();
    return new Promise(() => {});
  }
}

function pillWorld(concurrency = 10) {
  const world = new World();
  const pill = workflow({ name: "pill" }, async (ctx) => {
    await ctx.step("before", (step) => world.effect(step, "before"), {
      compensate: (_done, step) => world.effect(step, "undo before"),
    });
    await ctx.step("exit", () => supervisor.exit());
  });
  const healthy = workflow<string, string>({ name: "healthy" }, async (ctx, name) => {
    for (const part of ["a", "b", "c"])
      await ctx.step(part, async (step) => {
        world.effect(step, `${name} ${part}`);
        await new Promise<void>((resolve) => world.clock.after(200, resolve));
      });
    return name;
  });
  const supervisor: Supervisor = new Supervisor(world, [pill, healthy], concurrency);
  return { world, pill, healthy, supervisor };
}

test.each([1, 3, 10, 100])(
  "F19: it is stuck after crashes alone, while its neighbours complete (concurrency %i)",
  async (concurrency) => {
    const { world, pill, healthy, supervisor } = pillWorld(concurrency);
    const client = world.process();
    await client.start(pill, undefined, { id: "pill" });
    for (let n = 0; n < 20; n++) await client.start(healthy, `h${n}`, { id: `h${n}` });
    const done = (): boolean =>
      world.store.dump().runs.every(({ end, stuck }) => end !== null || stuck !== null);
    await supervisor.until(done);
    const stuck = world.store.dump().runs.filter((run) => run.stuck !== null);
    expect(stuck.map(({ id }) => id)).toEqual(["pill"]);
    expect(stuck[0]?.stuck).toMatchObject({ code: "POISON" });
    expect(supervisor.deaths).toBeLessThanOrEqual(7);
    expect(world.store.dump().runs.filter(({ end }) => end === "completed")).toHaveLength(20);
  },
);

test("F20: a suspect's bodies run while no other run of its worker does", async () => {
  const world = new World();
  let others = 0;
  const beside: number[] = [];
  const pill = workflow({ name: "pill" }, (ctx) =>
    ctx.step("exit", () => {
      beside.push(others);
      others = 0;
      return supervisor.exit();
    }),
  );
  const busy = workflow({ name: "busy" }, async (ctx) => {
    for (let n = 0; n < 100; n++)
      await ctx.step("work", async () => {
        others += 1;
        await new Promise<void>((resolve) => supervisor.process.clock.after(300, resolve));
        others -= 1;
      });
  });
  const supervisor: Supervisor = new Supervisor(world, [pill, busy], 10);
  const client = world.process();
  for (let n = 0; n < 5; n++) await client.start(busy, undefined, { id: `busy${n}` });
  await client.start(pill, undefined, { id: "pill" });
  await supervisor.until(() => world.run("pill").stuck !== null);
  expect(beside.slice(2)).toEqual([0, 0, 0, 0, 0]);
});

test("F20: two pills do not blame each other for ever, nor anybody else", async () => {
  const { world, pill, healthy, supervisor } = pillWorld();
  const client = world.process();
  for (const id of ["pill-1", "pill-2"]) await client.start(pill, undefined, { id });
  for (let n = 0; n < 10; n++) await client.start(healthy, `h${n}`, { id: `h${n}` });
  await supervisor.until(() =>
    world.store.dump().runs.every(({ end, stuck }) => end !== null || stuck !== null),
  );
  const stuck = world.store.dump().runs.filter((run) => run.stuck !== null);
  expect(stuck.map(({ id }) => id)).toEqual(["pill-1", "pill-2"]);
});

test("a pill in the handler itself is caught as well", async () => {
  const world = new World();
  const pill = workflow({ name: "pill" }, async (ctx) => {
    await ctx.step("before", () => 1);
    await supervisor.exit();
  });
  const supervisor: Supervisor = new Supervisor(world, [pill], 10);
  await world.process().start(pill, undefined, { id: "pill" });
  await supervisor.until(() => world.run("pill").stuck !== null);
  expect(world.run("pill").stuck).toMatchObject({ code: "POISON" });
});

test("F14 F20: a run that makes progress between crashes is under suspicion no longer", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (let n = 0; n < 10; n++) {
      await ctx.step(`step ${n}`, (step) => {
        world.effect(step, `step ${n}`);
        const isFirst = world.effectNames.filter((name) => name === `step ${n}`).length === 1;
        return isFirst ? supervisor.exit() : n;
      });
    }
    return "survived";
  });
  const supervisor: Supervisor = new Supervisor(world, [definition], 10);
  await world.process().start(definition, undefined, { id: "r" });
  await supervisor.until(() => world.run("r").end !== null);
  expect(world.run("r").result).toBe('"survived"');
  expect(supervisor.deaths).toBe(10);
});

test("F20: so is a run that has no step of its own, and waits for children, signals and time", async () => {
  const world = new World();
  const child = workflow<number, number>({ name: "child" }, (_ctx, n) => n);
  const died = new Set<number>();
  const parent = workflow({ name: "parent" }, async (ctx) => {
    for (let n = 0; n < 10; n++) {
      await ctx.call(child, n);
      if (died.has(n)) continue;
      died.add(n);
      await supervisor.exit();
    }
    return "survived";
  });
  await world.worker([child]);
  const supervisor: Supervisor = new Supervisor(world, [parent], 10);
  await world.process().start(parent, undefined, { id: "p" });
  await supervisor.until(() => world.run("p").end !== null || world.run("p").stuck !== null);
  expect(world.run("p")).toMatchObject({ result: '"survived"', strikes: 0 });
});

test("F19: a poisoned run can be canceled, and is undone without the body that kills", async () => {
  const { world, pill, supervisor } = pillWorld();
  await world.process().start(pill, undefined, { id: "pill" });
  await supervisor.until(() => world.run("pill").stuck !== null);
  const run = supervisor.process.client.get("pill");
  await world.settle(run.cancel());
  expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
  expect(world.effectNames).toEqual(["before", "undo before"]);
});

test("a handler that kills is stuck again after an order to cancel it, and ends by one that needs no code", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, () => supervisor.exit());
  const supervisor: Supervisor = new Supervisor(world, [definition], 30);
  await world.process().start(definition, undefined, { id: "r" });
  await supervisor.until(() => world.run("r").stuck !== null);
  expect(world.run("r").strikesAlone).toBe(5);
  await world.settle(supervisor.process.client.get("r").cancel());
  await supervisor.until(() => world.run("r").stuck !== null);
  expect(world.run("r")).toMatchObject({ stuck: { code: "POISON" }, strikesAlone: 10 });
  const { deaths } = supervisor;
  await world.settle(supervisor.process.client.get("r").cancel({ compensate: false }));
  await supervisor.until(() => world.run("r").end !== null);
  expect(world.run("r").end).toBe("canceled");
  expect(supervisor.deaths).toBe(deaths);
});

test("a poisoned run that is mended goes on after a resume", async () => {
  const world = new World();
  let isMended = false;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("exit", () => (isMended ? "mended" : supervisor.exit())),
  );
  const supervisor: Supervisor = new Supervisor(world, [definition], 10);
  await world.process().start(definition, undefined, { id: "r" });
  await supervisor.until(() => world.run("r").stuck !== null);
  isMended = true;
  await world.settle(supervisor.process.client.runs.resume("r"));
  await supervisor.until(() => world.run("r").end !== null);
  expect(world.run("r")).toMatchObject({ result: '"mended"', strikes: 0, strikesAlone: 0 });
});

test("a suspect that waits for a signal does not keep the others from running", async () => {
  const world = new World();
  const suspect = workflow({ name: "suspect" }, async (ctx) => {
    await ctx.waitForSignal("go");
    return "done";
  });
  const healthy = workflow({ name: "healthy" }, (ctx) => ctx.step("work", () => "fine"));
  const client = world.process();
  await client.start(suspect, undefined, { id: "suspect" });
  for (let strikes = 0; strikes < 2; strikes++) {
    const workflows = [{ name: "suspect", version: "1", on: null, priority: 0, timeoutMs: null }];
    const lease = await world.store.join({ workflows, leaseMs: 1000, host: "h", pid: 1 });
    const request = { worker: lease.worker, limit: 1, workflows, except: [], inboxes: [] };
    await world.store.claim(request);
    const other = await world.store.join({ workflows: [], leaseMs: 60_000, host: "h", pid: 1 });
    await world.pass(1500);
    await world.store.renew(other);
  }
  expect(world.run("suspect").strikes).toBe(2);
  const process = await world.worker([suspect, healthy]);
  await world.passUntil(() => world.run("suspect").waits.length > 0);
  expect(await process.execute(healthy, undefined)).toBe("fine");
  await world.settle(process.client.get("suspect").signal("go"));
  expect(await world.settle(process.client.get("suspect").result())).toBe("done");
});

/** A run that two workers have died with, before it did anything. */
async function suspectIn(world: World, suspect: Workflow<undefined>): Promise<void> {
  await world.process().start(suspect, undefined, { id: "suspect" });
  for (const attempt of [1, 2]) {
    const process = await world.worker([suspect]);
    await world.passUntil(() => world.run("suspect").attempt === attempt);
    process.kill();
    await world.pass(10);
  }
}

test("F20: a suspect does not wait for a body that waits for one that is kept from beginning", async () => {
  const world = new World();
  let isPoisonous = true;
  const suspect = workflow<undefined, string>({ name: "suspect" }, (ctx) =>
    ctx.step("work", () => (isPoisonous ? new Promise<string>(() => {}) : "done")),
  );
  const opened = gate();
  const long = workflow({ name: "long" }, async (ctx) => {
    const open = async (): Promise<void> => {
      await ctx.sleep("nap", "7s");
      await ctx.step("open", () => opened.open());
    };
    await Promise.all([ctx.step("wait", () => opened.promise), open()]);
  });
  await suspectIn(world, suspect);
  isPoisonous = false;
  const process = await world.worker([suspect, long]);
  const waiting = await process.start(long, undefined, { id: "long" });
  await world.settle(waiting.result(), 60_000);
  await world.passUntil(() => world.run("suspect").end !== null, 60_000);
  expect(world.run("suspect").result).toBe('"done"');
});

test("F20: a suspect that lives for half a minute lets the others go on", async () => {
  const world = new World();
  const suspect = workflow<undefined, string>({ name: "suspect" }, (ctx) =>
    ctx.step("work", () => finished.promise),
  );
  const finished = gate<string>();
  const other = workflow({ name: "other" }, (ctx) => ctx.step("work", () => "other"));
  await suspectIn(world, suspect);
  const process = await world.worker([suspect, other]);
  await world.passUntil(() => world.run("suspect").alone);
  const beside = await process.start(other, undefined, { id: "other" });
  await world.pass(20_000);
  expect(await world.settle(beside.status())).toBe("running");
  expect(await world.settle(beside.result(), 20_000)).toBe("other");
  finished.open("at last");
  await world.passUntil(() => world.run("suspect").end !== null);
  expect(world.run("suspect")).toMatchObject({ alone: false, end: "completed" });
});

test("F20: a suspect that waits for its next try lets the others execute meanwhile", async () => {
  const world = new World();
  let isBack = false;
  const suspect = workflow<undefined, string>({ name: "suspect" }, (ctx) =>
    ctx.step("work", () => (isBack ? "done" : Promise.reject(new Error("no connection"))), {
      retry: { initialDelay: "4s", factor: 1 },
    }),
  );
  const other = workflow({ name: "other" }, (ctx) => ctx.step("work", () => "other"));
  await suspectIn(world, suspect);
  const process = await world.worker([suspect, other]);
  await world.passUntil(() => world.run("suspect").attempt === 3);
  const beside = await process.start(other, undefined, { id: "other" });
  expect(await world.settle(beside.result(), 2_000)).toBe("other");
  expect(world.run("suspect")).toMatchObject({ alone: false, strikes: 2, end: null });
  isBack = true;
  await world.passUntil(() => world.run("suspect").end !== null);
  expect(world.run("suspect").result).toBe('"done"');
});
