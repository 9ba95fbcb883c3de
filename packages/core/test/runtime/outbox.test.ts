/** Events of runs and steps are stored with what they tell of, and shipped at least once, whatever dies in between. */
import { describe, expect, test } from "vitest";
import {
  type Codec,
  FatalError,
  type OutboxOptions,
  outboxEvents,
  type ShippedEvent,
  transactStep,
  workflow,
} from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

const order = workflow<number, string>({ name: "order" }, async (ctx, cents) => {
  await ctx.step("charge", (step) => {
    if (step.attempt === 1) throw Object.assign(new Error("busy"), { code: "ECONNRESET" });
    return `charged ${cents}`;
  });
  await transactStep(ctx, "book", () => "booked");
  await ctx.sleep("cool", "10s");
  return "secret result";
});

const declined = workflow({ name: "declined" }, async (ctx) => {
  await ctx.step("reserve", () => 1, { compensate: () => {} });
  await ctx.step("charge", () => {
    throw new FatalError("card 4242 was declined", { code: "card_declined" });
  });
});

/** Where the events go. */
class Warehouse {
  readonly batches: (readonly ShippedEvent[])[] = [];
  readonly ship = async (events: readonly ShippedEvent[]): Promise<void> => {
    this.batches.push(events);
  };

  get events(): readonly ShippedEvent[] {
    return this.batches.flat();
  }

  get ids(): readonly string[] {
    return this.events.map(({ id }) => id);
  }
}

function lineOf(event: ShippedEvent): string {
  switch (event.type) {
    case "run.began":
      return "run.began";
    case "run.ended":
      return `run.ended ${event.status}`;
    case "run.stuck":
      return `run.stuck ${event.code}`;
    case "step.settled":
      return `${event.body} ${event.step} ${event.outcome} after ${event.attempts}`;
    case "step.retried":
      return `retry of ${event.step} after ${event.attempt}`;
  }
}

const left = (world: World): number => world.store.dump().outbox.length;

async function read(world: World): Promise<ShippedEvent[]> {
  const events: ShippedEvent[] = [];
  for await (const batch of outboxEvents(world.store)) events.push(...batch);
  return events;
}

test("the story of a run, without what it was given and what it came to", async () => {
  const world = new World();
  const there = new Warehouse();
  const process = await world.worker([order], { outbox: { ship: there.ship } });
  const run = await process.start(order, 1999, { id: "o1", tags: { city: "Ulm" } });
  await world.settle(run.result());
  await world.pass(100);
  expect(there.events.map(lineOf)).toEqual([
    "run.began",
    "retry of charge after 1",
    "step charge ok after 2",
    "step book ok after 1",
    "run.ended completed",
  ]);
  expect(there.ids).toEqual(["o1:began", "o1:retry:1:charge:1", "o1:1", "o1:2", "o1:4"]);
  expect(there.events[0]).toMatchObject({
    run: "o1",
    workflow: "order",
    version: "1",
    tags: { city: "Ulm" },
    parent: null,
  });
  expect(there.events[1]).toMatchObject({ error: { name: "Error", code: "ECONNRESET", message: "busy" } });
  expect(JSON.stringify(there.events)).not.toMatch(/1999|secret|charged/);
  expect(left(world)).toBe(0);
});

test("what failed, was undone or is stuck", async () => {
  const world = new World();
  const there = new Warehouse();
  const broken = workflow({ name: "broken" }, () => {
    throw new TypeError("no such function");
  });
  const process = await world.worker([declined, broken], { outbox: { ship: there.ship } });
  const run = await process.start(declined, undefined, { id: "d" });
  await rejection(world.settle(run.result()));
  await process.start(broken, undefined, { id: "b" });
  await world.pass(1000);
  expect(there.events.map((event) => `${event.run}: ${lineOf(event)}`)).toEqual([
    "d: run.began",
    "d: step reserve ok after 1",
    "d: step charge failed after 1",
    "d: undo reserve ok after 1",
    "d: run.ended failed",
    "b: run.began",
    "b: run.stuck BUG",
  ]);
  const error = { name: "FatalError", code: "card_declined", message: "card 4242 was declined" };
  expect(there.events[2]).toMatchObject({ error });
});

test("with a codec no message of an error leaves the store", async () => {
  const world = new World();
  const there = new Warehouse();
  const codec: Codec = { encode: btoa, decode: atob };
  const process = await world.worker([declined], { outbox: { ship: there.ship }, codec });
  const run = await process.start(declined, undefined, { id: "d" });
  await rejection(world.settle(run.result()));
  await world.pass(100);
  expect(there.events[2]).toMatchObject({ error: { name: "FatalError", code: "card_declined" } });
  expect(JSON.stringify(there.events)).not.toContain("4242");
});

test("without an outbox nothing is stored for it", async () => {
  const world = new World();
  const process = await world.worker([declined]);
  await rejection(process.execute(declined, undefined));
  expect(left(world)).toBe(0);
});

describe("shipping", () => {
  const quick = workflow({ name: "quick" }, (ctx) => ctx.step("s", () => {}));

  test("what can't be shipped is tried again, later and later, and blocks no run", async () => {
    const world = new World();
    const there = new Warehouse();
    const triedAt: number[] = [];
    const ship: OutboxOptions["ship"] = async (events) => {
      triedAt.push(world.clock.monotonic());
      if (triedAt.length < 6) throw new Error("503");
      await there.ship(events);
    };
    const process = await world.worker([quick], { outbox: { ship } });
    for (const id of ["a", "b"]) {
      const run = await process.start(quick, undefined, { id });
      await world.settle(run.result());
    }
    expect(there.events).toEqual([]);
    await world.passUntil(() => there.events.length === 6);
    await world.pass(10);
    const waits = triedAt.slice(1, 6).map((at, index) => at - (triedAt[index] ?? 0));
    expect(waits.every((ms, index) => ms >= 500 * 2 ** index && ms <= 1000 * 2 ** index)).toBe(true);
    expect(world.lines.filter(({ message }) => message.includes("503"))).toHaveLength(1);
    expect(left(world)).toBe(0);
  });

  test("what is written while a failed batch waits goes out behind it", async () => {
    const world = new World();
    const there = new Warehouse();
    let calls = 0;
    const ship: OutboxOptions["ship"] = async (events) => {
      calls += 1;
      if (calls === 1) throw new Error("503");
      await there.ship(events);
    };
    const process = await world.worker([quick], { outbox: { ship } });
    await process.execute(quick, undefined, { id: "a" });
    await process.execute(quick, undefined, { id: "b" });
    await world.pass(1500);
    expect(there.ids).toEqual(expect.arrayContaining(["a:began", "a:1", "a:2", "b:began", "b:1", "b:2"]));
    expect(left(world)).toBe(0);
  });

  test("what was shipped and not forgotten comes again, with the same ids", async () => {
    const world = new World();
    const first = new Warehouse();
    const process = await world.worker([quick], {
      outbox: {
        ship: async (events) => {
          await first.ship(events);
          process.kill();
        },
      },
    });
    await process.client.start(quick, undefined, { id: "r" });
    await world.pass(5000);
    expect(first.events.length).toBeGreaterThan(0);
    const second = new Warehouse();
    await world.worker([quick], { outbox: { ship: second.ship } });
    await world.pass(90_000);
    expect(second.ids).toEqual(expect.arrayContaining([...first.ids]));
    expect(new Set(second.ids)).toEqual(new Set(["r:began", "r:1", "r:2"]));
    expect(left(world)).toBe(0);
  });

  test("two workers share the work, and none is lost", async () => {
    const world = new World();
    const there = new Warehouse();
    const outbox = { ship: there.ship, batch: 7 };
    const one = await world.worker([quick], { outbox });
    await world.worker([quick], { outbox });
    const runs = await world.settle(
      Promise.all(Array.from({ length: 50 }, (_, n) => one.client.start(quick, undefined, { id: `r${n}` }))),
    );
    await world.settle(Promise.all(runs.map((run) => run.result())));
    await world.pass(1000);
    expect(there.events).toHaveLength(150);
    expect(new Set(there.ids).size).toBe(150);
    expect(Math.max(...there.batches.map((batch) => batch.length))).toBe(7);
  });

  test("a ship that hangs is given up, and the events come again", async () => {
    const world = new World();
    const there = new Warehouse();
    const hung = gate();
    let calls = 0;
    const ship: OutboxOptions["ship"] = (events) => {
      calls += 1;
      return calls === 1 ? hung.promise : there.ship(events);
    };
    const process = await world.worker([quick], { outbox: { ship, patience: "5s" } });
    await process.execute(quick, undefined, { id: "r" });
    await world.passUntil(() => there.events.length === 3, 30_000);
    await world.pass(10);
    expect(left(world)).toBe(0);
  });

  test("the last events are shipped before a worker is gone", async () => {
    const world = new World();
    const there = new Warehouse();
    const process = world.process();
    const worker = await process.startWorker([quick], { outbox: { ship: there.ship } });
    await process.execute(quick, undefined, { id: "r" });
    await world.settle(worker.stop());
    expect(there.ids).toEqual(["r:began", "r:1", "r:2"]);
    expect(left(world)).toBe(0);
  });

  test.each([0, -1, 1.5])("batches of %s are refused", (batch) => {
    const world = new World();
    expect(() => world.process().newWorker([quick], { outbox: { batch } })).toThrow(/batch of the outbox/);
  });
});

test("a program may read the outbox by itself; what it leaves early comes again", async () => {
  const world = new World();
  const process = await world.worker([declined], { outbox: true });
  await rejection(process.execute(declined, undefined, { id: "d" }));
  await world.pass(60_000);
  expect(left(world)).toBe(5);
  for await (const batch of outboxEvents(world.store, { batch: 2 })) {
    expect(batch).toHaveLength(2);
    break;
  }
  expect(await read(world)).toHaveLength(3);
  expect(left(world)).toBe(2);
  await world.pass(60_000);
  expect((await read(world)).map(({ id }) => id)).toEqual(["d:began", "d:2"]);
  expect(left(world)).toBe(0);
});

test("an event is there if and only if what it tells of is: crashes at any call lose and invent none", async () => {
  for (let at = 1; at <= 30; at++) {
    for (const when of ["before", "after"] as const) {
      const world = new World({ seed: `${at}` });
      const first = world.process({ plan: { at, when } });
      first.client.start(order, 1999, { id: "o1" }).catch(() => {});
      first
        .newWorker([order], { outbox: true })
        .start()
        .catch(() => {});
      await world.pass(20_000);
      expect(first.store.dead).toBe(true);
      const second = await world.worker([order], { outbox: true });
      await second.execute(order, 1999, { id: "o1" });
      const told = world.run("o1").journal.filter(({ kind }) => kind === "step" || kind === "end");
      const events = await read(world);
      const settled = events.filter(({ type }) => type === "step.settled" || type === "run.ended");
      expect(settled.map(({ id }) => id)).toEqual(told.map(({ seq }) => `o1:${seq}`));
      expect(events.map(({ id }) => id)).toContain("o1:began");
    }
  }
});
