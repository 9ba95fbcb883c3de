/** Crash tests and simulations of workflows that call each other, send each other signals, and listen to events. */
import { describe, expect, test } from "vitest";
import { ChildFailedError, type Context, FatalError, workflow } from "../../src/index.ts";
import { type CrashTestEnd, crashTest, type MemoryDump, simulate } from "../../src/testing/index.ts";
import { brokenRelations } from "../../src/testing/simulation/relations.ts";

/** Knows its callers by their idempotency keys. */
class Shop {
  readonly payments = new Set<string>();
  readonly refunds = new Set<string>();
  readonly mails = new Set<string>();

  pay(key: string): string {
    this.payments.add(key);
    return "paid";
  }

  refund(key: string): void {
    this.refunds.add(key);
  }

  mail(key: string): void {
    this.mails.add(key);
  }
}

const payment = (shop: Shop) =>
  workflow({ name: "payment" }, async (ctx, cents: number) => {
    if (cents < 0) throw new FatalError("no such sum");
    return ctx.step("pay", (step) => shop.pay(step.idempotencyKey), {
      compensate: (_done, step) => shop.refund(`own ${step.idempotencyKey}`),
    });
  });

const mailing = (shop: Shop) =>
  workflow({ name: "mailing", on: "order:placed" }, async (ctx, { order }: { readonly order: string }) => {
    await ctx.step("mail", (step) => shop.mail(step.idempotencyKey));
    await ctx.signal(order, "mailed", ctx.run.id);
  });

/** A child, an event whose listener sends a signal back, and a run of its own. */
async function place(ctx: Context, shop: Shop, cents: number): Promise<string> {
  const paid = await ctx.call(payment(shop), cents, {
    compensate: (_done, step) => shop.refund(step.idempotencyKey),
  });
  await ctx.emit("order:placed", { order: ctx.run.id });
  const mailed = await ctx.waitForSignal<string>("mailed");
  await ctx.start(payment(shop), 1, { name: "tip" });
  return `${paid} ${mailed}`;
}

const order = (shop: Shop) => workflow({ name: "order" }, (ctx, cents: number) => place(ctx, shop, cents));

const doomed = (shop: Shop) =>
  workflow({ name: "order" }, async (ctx, cents: number) => {
    await place(ctx, shop, cents);
    await ctx.step("ship", () => {
      throw new FatalError("no such address", { happened: false });
    });
  });

const others = (shop: Shop) => [payment(shop), mailing(shop)];
const statuses = ({ runs }: CrashTestEnd<Shop>): Readonly<Record<string, string>> =>
  Object.fromEntries(runs.map(({ workflow: name, status, id }) => [`${name} ${id}`, status]));

describe("an order with a child, a listener and a run of its own, crashed everywhere", () => {
  test("F9, F10: has one of each, and the right result", async () => {
    const { points, tries } = await crashTest(order, {
      input: 1999,
      world: () => new Shop(),
      workflows: others,
      invariant: (end) => {
        const mailed = end.runs.find(({ workflow: name }) => name === "mailing")?.id;
        expect(end.result).toBe(`paid ${mailed}`);
        expect(statuses(end)).toEqual({
          "order run-1": "completed",
          "payment run-1/payment": "completed",
          "payment run-1/tip": "completed",
          [`mailing ${mailed}`]: "completed",
        });
        expect([...end.world.payments].toSorted()).toEqual(["run-1%2Fpayment/pay", "run-1%2Ftip/pay"]);
        expect(end.world.mails.size).toBe(1);
      },
    });
    expect(points.effects).toBe(3);
    expect(tries).toBeGreaterThan(60);
  });

  test("F114: that fails has its child undone by what it said, once, and nothing else", async () => {
    await crashTest(doomed, {
      input: 1999,
      world: () => new Shop(),
      workflows: others,
      invariant: (end) => {
        expect(end.status).toBe("failed");
        expect(end.runs.filter(({ status }) => status === "completed")).toHaveLength(3);
        expect([...end.world.refunds]).toEqual(["run-1/payment/undo"]);
      },
    });
  });

  test("whose child fails fails with it, and undoes nothing of it", async () => {
    await crashTest(order, {
      input: -1,
      world: () => new Shop(),
      workflows: others,
      invariant: (end) => {
        expect(end.error).toBeInstanceOf(ChildFailedError);
        expect(statuses(end)).toEqual({ "order run-1": "failed", "payment run-1/payment": "failed" });
        expect(end.world.refunds.size).toBe(0);
      },
    });
  });
});

test("a child that is under way when its parent is canceled is canceled first, whatever crashes", async () => {
  const stay = (shop: Shop) =>
    workflow({ name: "stay" }, async (ctx) => {
      await ctx.step("pay", (step) => shop.pay(step.idempotencyKey), {
        compensate: (_done, step) => shop.refund(step.idempotencyKey),
      });
      await ctx.waitForSignal("never");
    });
  const trip = (shop: Shop) =>
    workflow({ name: "trip" }, async (ctx) => {
      ctx.compensate("last", (step) => {
        if (shop.refunds.size === 0) throw new Error("the child is not undone");
        shop.refund(step.idempotencyKey);
      });
      await ctx.call(stay(shop), undefined);
    });
  await crashTest(trip, {
    input: undefined,
    world: () => new Shop(),
    workflows: (shop) => [stay(shop)],
    drive: async ({ client, until, world }, id) => {
      await until(() => world.payments.size > 0);
      await client.get(id).cancel();
    },
    invariant: ({ runs, world }) => {
      expect(runs.map(({ status }) => status)).toEqual(["canceled", "canceled"]);
      expect([...world.refunds]).toEqual(["run-1%2Fstay/pay/undo", "run-1/last/undo"]);
    },
  });
});

test("over some seeds, with several workers, every order has one child and one mail", async () => {
  for (let seed = 1; seed <= 25; seed++)
    await simulate((shop: Shop) => [order(shop), ...others(shop)], {
      seed,
      world: () => new Shop(),
      drive: async ({ start, world }) => {
        await Promise.all([1, 2, 3].map((no) => start(order(world), 100, { id: `order-${no}` })));
      },
      invariant: ({ world, runs }) => {
        expect(runs).toHaveLength(12);
        expect(runs.every(({ end }) => end === "completed")).toBe(true);
        expect(world.mails.size).toBe(3);
        expect(world.payments.size).toBe(6);
      },
    });
});

test("a simulation waits also for what nobody has claimed yet, and for what a person has go on", async () => {
  let failures = 0;
  const listener = workflow({ name: "listener", on: "ping" }, async (ctx) => {
    await ctx.sleep("long", "1h");
  });
  const failing = workflow({ name: "failing" }, async (ctx) => {
    await ctx.emit("ping", {});
    await ctx.step("work", () => {
      failures += 1;
      if (failures === 1) throw new FatalError("not yet");
    });
  });
  const { runs } = await simulate(() => [failing, listener], {
    faults: false,
    drive: async ({ client, start, until, journal }) => {
      await start(failing, undefined, { id: "r" });
      await until(() => journal("r").some(({ kind }) => kind === "end"));
      await client.runs.retry("r");
    },
  });
  expect(runs.map(({ end }) => end)).toEqual(["completed", "completed"]);
  expect(failures).toBe(2);
});

describe("relations that are broken are found", () => {
  const stored = async (): Promise<MemoryDump> => {
    let dump: MemoryDump | undefined;
    await simulate((shop: Shop) => [doomed(shop), ...others(shop)], {
      faults: false,
      world: () => new Shop(),
      drive: async ({ start, world, store, until, journal }) => {
        await start(doomed(world), 100, { id: "r" });
        await until(() => journal("r").some(({ kind }) => kind === "end"));
        dump = store.dump();
      },
    });
    if (dump === undefined) throw new Error("nothing was stored");
    return dump;
  };

  // Changed at will.
  type Draft = {
    runs: { [field: string]: unknown; journal: Record<string, unknown>[]; messages: unknown[] }[];
  } & {
    events: { runs: string[] }[];
  };
  const run = (draft: Draft, id: string): Draft["runs"][number] => {
    const found = draft.runs.find((one) => one["id"] === id);
    if (found === undefined) throw new Error(`there is no run ${id}`);
    return found;
  };
  const entry = (draft: Draft, kind: string): Record<string, unknown> => {
    const found = run(draft, "r").journal.find((one) => one["kind"] === kind);
    if (found === undefined) throw new Error(`there is no entry ${kind}`);
    return found;
  };

  test.each<[string, (draft: Draft) => void]>([
    [
      "I16: run r says that it started r/tip",
      (draft) => draft.runs.splice(draft.runs.indexOf(run(draft, "r/tip")), 1),
    ],
    ["I16: run r: call payment came to", (draft) => (run(draft, "r/payment")["result"] = '"other"')],
    ["I16: run r: call payment came to", (draft) => (run(draft, "r/payment")["end"] = "failed")],
    ["I16: run r: call payment came to", (draft) => (entry(draft, "child")["error"] = '{"name":"Error"}')],
    ["I16: run r decided what to undo before", (draft) => (entry(draft, "child")["key"] = "other")],
    ["I16: run r/tip is a child of r", (draft) => (entry(draft, "start")["error"] = "refused")],
    ["I16: run r has 2 children", (draft) => draft.runs.push({ ...run(draft, "r/tip"), id: "r/tip~2" })],
    ["I14: the signal", (draft) => (run(draft, "r").messages = [])],
    ["I14: the signal", (draft) => run(draft, "r").messages.push(...run(draft, "r").messages)],
    ["I22: the event", (draft) => (draft.events = [])],
    ["I22: event", (draft) => draft.events[0]?.runs.push("lost")],
    ["I22: 2 events started run", (draft) => draft.events.push(...draft.events)],
  ])("%s", async (finding, falsify) => {
    const honest = await stored();
    expect(brokenRelations(honest)).toEqual([]);
    const draft = structuredClone(honest) as unknown as Draft;
    falsify(draft);
    expect(brokenRelations(draft as unknown as MemoryDump).join("\n")).toContain(finding);
  });
});
