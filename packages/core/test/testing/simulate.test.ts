/** Simulations: the same seed is the same simulation; everything breaks; what is wrong is found, with the seed that repeats it. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Duration, transactStep, workflow } from "../../src/index.ts";
import { type FaultRates, type Outside, simulate, SimulationError } from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

class Bank {
  readonly charged = new Map<string, number>();
  charge(key: string): void {
    this.charged.set(key, (this.charged.get(key) ?? 0) + 1);
  }
}

const order = (bank: Bank) =>
  workflow({ name: "order" }, async (ctx, wait: Duration) => {
    await ctx.step("charge", (step) => bank.charge(step.idempotencyKey));
    await ctx.sleep("a while", wait);
    return await ctx.step("receipt", () => "thanks");
  });

const fiveOrders = async ({ start, world }: Outside<Bank>): Promise<void> => {
  await Promise.all([1, 2, 3, 4, 5].map((no) => start(order(world), "3s", { id: `order-${no}` })));
};

const orders = (bank: Bank) => [order(bank)];

test("the same seed gives the same trace, another one another", async () => {
  const options = { world: () => new Bank(), drive: fiveOrders };
  const [first, again, other] = [
    await simulate(orders, { ...options, seed: 1 }),
    await simulate(orders, { ...options, seed: 1 }),
    await simulate(orders, { ...options, seed: 2 }),
  ];
  expect(again.traceHash).toBe(first.traceHash);
  expect(again.trace).toEqual(first.trace);
  expect(other.traceHash).not.toBe(first.traceHash);
});

test("over some seeds everything breaks, and every order is charged under one key", async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const { faults } = await simulate(orders, {
      seed,
      world: () => new Bank(),
      drive: fiveOrders,
      invariant: ({ world, runs }) => {
        expect([...world.charged.keys()].toSorted()).toEqual(
          [1, 2, 3, 4, 5].map((no) => `order-${no}/charge`),
        );
        expect(runs.map(({ end }) => end)).toEqual(Array.from({ length: 5 }, () => "completed"));
      },
    });
    for (const kind of Object.keys(faults)) seen.add(kind);
  }
  expect([...seen].toSorted()).toEqual([
    "call after",
    "call before",
    "call frozen",
    "call late",
    "call lost",
    "call refused",
    "clock jump",
    "delay",
    "effect after",
    "effect before",
    "hint lost",
  ]);
});

test("without faults nothing breaks, and each effect happens once", async () => {
  const { faults, world, bodies } = await simulate(orders, {
    faults: false,
    world: () => new Bank(),
    drive: fiveOrders,
  });
  expect(faults).toEqual({});
  expect([...world.charged.values()]).toEqual([1, 1, 1, 1, 1]);
  expect(bodies).toHaveLength(10);
});

test.each<[keyof FaultRates, string]>([
  ["crash", "call before"],
  ["effectCrash", "effect after"],
  ["lostAnswer", "call lost"],
  ["freeze", "call frozen"],
  ["clockJump", "clock jump"],
  ["lostHint", "hint lost"],
  ["delay", "delay"],
])("%s is how often that happens", async (rate, kind) => {
  const none = { crash: 0, effectCrash: 0, lostAnswer: 0, freeze: 0, clockJump: 0, lostHint: 0, delay: 0 };
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= 10; seed++) {
    const { faults } = await simulate(orders, {
      seed,
      world: () => new Bank(),
      drive: fiveOrders,
      faults: { ...none, [rate]: 0.2 },
      healAfter: "10s",
    });
    for (const [name, count] of Object.entries(faults)) counts[name] = (counts[name] ?? 0) + count;
  }
  expect(counts[kind]).toBeGreaterThan(0);
});

test("what does not survive is found, with its seed and what happened last", async () => {
  const careless = (bank: Bank) => [
    workflow({ name: "order" }, (ctx) => ctx.step("charge", () => bank.charge("the only one"))),
  ];
  const drive = async ({ start, world }: Outside<Bank>): Promise<void> => {
    const [definition] = careless(world);
    if (definition !== undefined) await start(definition, undefined, { id: "order-1" });
  };
  const found = async (seed: number): Promise<unknown> => {
    try {
      await simulate(careless, {
        seed,
        world: () => new Bank(),
        drive,
        faults: { effectCrash: 0.5 },
        invariant: ({ world }) => expect([...world.charged.values()]).toEqual([1]),
      });
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const errors = (await Promise.all(Array.from({ length: 20 }, (_, seed) => found(seed)))).filter(
    (error) => error !== undefined,
  );
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) {
    expect(error).toBeInstanceOf(SimulationError);
    const { message, seed, trace } = error as SimulationError;
    expect(message).toContain(`seed: "${seed}" repeats it`);
    expect(trace.length).toBeGreaterThan(5);
  }
});

test("answers of the world take time: runs that read, count and write lose each other's updates", async () => {
  class Shelf {
    left = 100;
    readonly read = async (): Promise<number> => this.left;
    readonly write = async (left: number): Promise<void> => {
      this.left = left;
    };
  }
  const take = (shelf: Shelf) =>
    workflow({ name: "take" }, (ctx) =>
      ctx.step("take", async () => {
        await shelf.write((await shelf.read()) - 1);
      }),
    );
  const { world } = await simulate((shelf: Shelf) => [take(shelf)], {
    seed: 1,
    faults: false,
    world: () => new Shelf(),
    drive: async ({ start, world: shelf }) => {
      const ids = Array.from({ length: 10 }, (_, no) => `take-${no}`);
      await Promise.all(ids.map((id) => start(take(shelf), undefined, { id })));
    },
  });
  expect(world.left).toBeGreaterThan(90);
});

test("a run that never ends is found", async () => {
  const waits = workflow({ name: "waits" }, (ctx) => ctx.waitForSignal("never"));
  const error = await rejection(
    simulate(() => [waits], {
      seed: 1,
      patience: "20s",
      healAfter: 0,
      drive: async ({ start }) => {
        await start(waits, undefined, { id: "waits" });
      },
    }),
  );
  expect(error.message).toContain("L1: nothing has been journaled for 20000 ms");
  expect(error.message).toContain("waits (it waits for signal never)");
});

test("what drives it may fail, sleep for weeks, and wait for what happens", async () => {
  const naps = workflow({ name: "naps" }, (ctx) => ctx.sleep("nap", "7d"));
  const error = await rejection(
    simulate(() => [naps], {
      seed: 1,
      drive: async ({ start, sleep, until, journal, clock }) => {
        const from = clock.now();
        await start(naps, undefined, { id: "naps" });
        await sleep("14d");
        await until(() => journal("naps").some(({ kind }) => kind === "end"));
        expect(clock.now() - from).toBeGreaterThanOrEqual(14 * 86_400_000 - 60_000);
        throw new Error("enough");
      },
    }),
  );
  expect(error.message).toContain("enough");
});

test("what drives it may take real time, and is named when it takes too much", async () => {
  const waits = workflow({ name: "waits" }, (ctx) => ctx.waitForSignal("go", { timeout: "30d" }));
  const drivenFor = (realMs: number) =>
    simulate(() => [waits], {
      seed: 1,
      faults: false,
      drive: async ({ start, client }) => {
        await start(waits, undefined, { id: "waits" });
        await setTimeout(realMs);
        await client.get("waits").signal("go", 1);
      },
      invariant: ({ runs }) => expect(runs.map(({ end }) => end)).toEqual(["completed"]),
    });
  await drivenFor(50);
  const never = simulate(() => [], { seed: 1, drive: () => new Promise(() => {}) });
  expect((await rejection(never)).message).toContain("drive is still under way");
});

test("the SQL of a worker that has lost its run may begin, as its fence comes after it", async () => {
  const ledger = workflow({ name: "ledger" }, async (ctx) => {
    await transactStep<void>(ctx, "post", () => {});
    await ctx.sleep("a while", "30s");
  });
  const drive = async ({ start }: Outside): Promise<void> => {
    await Promise.all([1, 2, 3, 4, 5].map((no) => start(ledger, undefined, { id: `run-${no}` })));
  };
  // In each of these a worker thaws without its lease and goes on with a transaction that another one has committed.
  for (const seed of [15, 23, 29]) {
    const { bodies } = await simulate(() => [ledger], { seed, drive, faults: { freeze: 0.2 } });
    expect(bodies.length).toBeGreaterThan(5);
  }
});
