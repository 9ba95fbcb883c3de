/** The user's crash test: it finds what a crash breaks, at the shortest list of crashes, and lets alone what survives. */
import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { FatalError, transactStep, workflow } from "../../src/index.ts";
import { crashTest, CrashTestError, type CrashTestOptions } from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

/** A payment service that knows idempotency keys, if it is given any. */
class Bank {
  readonly charges: string[] = [];
  readonly refunds: string[] = [];

  async charge(cents: number, idempotencyKey?: string): Promise<string> {
    if (idempotencyKey === undefined || !this.charges.includes(idempotencyKey))
      this.charges.push(idempotencyKey ?? `charge ${this.charges.length + 1}`);
    return `charged ${cents}`;
  }

  refund(idempotencyKey: string): void {
    if (!this.refunds.includes(idempotencyKey)) this.refunds.push(idempotencyKey);
  }
}

const once = ({ world }: { readonly world: Bank }): void => expect(world.charges).toHaveLength(1);

async function failureOf<I, O, W>(
  ...[definition, options]: Parameters<typeof crashTest<I, O, W>>
): Promise<CrashTestError> {
  const error = await rejection(crashTest(definition, options));
  expect(error).toBeInstanceOf(CrashTestError);
  return error as CrashTestError;
}

const careful = (bank: Bank) =>
  workflow({ name: "order" }, async (ctx, cents: number) => {
    const receipt = await ctx.step("charge", (step) => bank.charge(cents, step.idempotencyKey));
    await ctx.sleep("a while", "30d");
    return receipt;
  });

const careless = (bank: Bank) =>
  workflow({ name: "order" }, (ctx, cents: number) => ctx.step("charge", () => bank.charge(cents)));

test("a workflow that hands on its idempotency keys survives everything", async () => {
  const { tries, faults, points } = await crashTest(careful, {
    input: 1999,
    world: () => new Bank(),
    invariant: once,
  });
  expect(points.effects).toBe(1);
  expect(points.calls).toBeGreaterThan(5);
  expect(tries).toBe(1 + 2 * points.effects + 6 * points.calls);
  expect(Object.keys(faults).toSorted()).toEqual([
    "call after",
    "call before",
    "call frozen",
    "call late",
    "call lost",
    "call refused",
    "effect after",
    "effect before",
  ]);
});

test("a double charge is found, at the one crash that shows it, which can be repeated alone", async () => {
  const options: CrashTestOptions<number, Bank> = { input: 1999, world: () => new Bank(), invariant: once };
  const error = await failureOf(careless, options);
  expect(error.crashes).toBe("effect 1 after");
  expect(error.message).toContain("effect 1 of process 1 is charge: the process dies after it");
  expect(error.message).toContain('EVERSTEP_CRASH="effect 1 after" repeats it alone');
  expect((await failureOf(careless, { ...options, only: error.crashes })).crashes).toBe(error.crashes);
  const { tries } = await crashTest(careless, { ...options, only: "effect 1 before" });
  expect(tries).toBe(2);
});

test("without a world, each body is an effect", async () => {
  let charges = 0;
  const order = workflow({ name: "order" }, (ctx) => ctx.step("charge", () => ++charges));
  const error = await failureOf(order, {
    input: undefined,
    sameResult: false,
    invariant: () => {
      const found = charges;
      charges = 0;
      if (found !== 1) throw new Error(`charged ${found} times`);
    },
  });
  expect(error.crashes).toBe("effect 1 after");
  expect(error.message).toContain("is step charge");
});

test("two effects in one body are two points", async () => {
  const error = await failureOf(
    (bank: Bank) =>
      workflow({ name: "order" }, (ctx, cents: number) =>
        ctx.step("pay", async (step) => {
          await bank.charge(cents, step.idempotencyKey);
          bank.refund(`refund ${bank.refunds.length + 1}`);
        }),
      ),
    {
      input: 1,
      world: () => new Bank(),
      invariant: ({ world }) => expect(world.refunds).toHaveLength(1),
    },
  );
  expect(error.crashes).toBe("effect 2 after");
});

test("P6: a saga survives that undoes under its idempotency key, and one that forgot it refunds twice", async () => {
  const saga = (undo: (bank: Bank, key: string) => void) => (bank: Bank) =>
    workflow({ name: "saga" }, async (ctx, cents: number) => {
      await ctx.step("charge", (step) => bank.charge(cents, step.idempotencyKey), {
        compensate: (_done, step) => undo(bank, step.idempotencyKey),
      });
      await ctx.step("ship", () => {
        throw new FatalError("no such address", { happened: false });
      });
    });
  const options: CrashTestOptions<number, Bank> = {
    input: 1999,
    world: () => new Bank(),
    invariant: ({ world, status }) => {
      expect(status).toBe("failed");
      expect(world.refunds).toHaveLength(1);
    },
  };
  await crashTest(
    saga((bank, key) => bank.refund(key)),
    options,
  );
  const error = await failureOf(
    saga((bank) => bank.refund(`refund ${bank.refunds.length + 1}`)),
    options,
  );
  expect(error.crashes).toBe("effect 2 after");
});

test("a run that ends in another way is found", async () => {
  let calls = 0;
  const fickle = workflow({ name: "fickle" }, async (ctx) => {
    const first = await ctx.step("first", () => ++calls);
    return first;
  });
  const error = await failureOf(fickle, { input: undefined });
  expect(error.message).toContain("its result is 2 instead of 1");
});

test("code that does not replay is found", async () => {
  let passes = 0;
  const undetermined = workflow({ name: "undetermined" }, async (ctx) => {
    passes += 1;
    if (passes % 2 === 0) await ctx.step("other", () => 1);
    await ctx.step("step", () => 2);
    await ctx.sleep("nap", "3s");
  });
  const error = await failureOf(undetermined, { input: undefined });
  expect(error.message).toContain("L1");
});

test("signals are sent once the run waits for them; without them it says what is missing", async () => {
  const approved = workflow({ name: "approved" }, async (ctx) => {
    const [a, b] = [await ctx.waitForSignal<string>("approval"), await ctx.waitForSignal<string>("approval")];
    return `${a}${b}`;
  });
  await crashTest(approved, {
    input: undefined,
    signals: { approval: "yes" },
    invariant: ({ result }) => expect(result).toBe("yesyes"),
  });
  const error = await failureOf(approved, { input: undefined });
  expect(error.message).toContain("without any crash");
  expect(error.message).toContain("it waits for signal approval");
});

test("the outside may cancel the run, and transactions are crashed as well", async () => {
  const { faults } = await crashTest(
    workflow({ name: "ledger" }, async (ctx) => {
      await transactStep<void>(ctx, "post", () => {});
      await ctx.waitForSignal("never");
    }),
    {
      input: undefined,
      drive: async ({ client, until, journal }, runId) => {
        await until(() => journal(runId).length > 0);
        await client.get(runId).cancel();
      },
      invariant: ({ status }) => expect(status).toBe("canceled"),
    },
  );
  expect(faults["call after"]).toBeGreaterThan(3);
});

test("small workflows are crashed twice, at each pair of points", async () => {
  const small = workflow({ name: "small" }, (ctx) => ctx.step("one", () => 1));
  const singles = await crashTest(small, { input: undefined, pairPointsMax: 0 });
  const pairs = await crashTest(small, { input: undefined, pairPointsMax: 100 });
  expect(pairs.tries).toBeGreaterThan(3 * singles.tries);
});

test("a world that takes real time: virtual time stands still meanwhile", async () => {
  class Slow {
    readonly done: string[] = [];
    work(key: string): Promise<void> {
      return new Promise((resolve) => {
        setImmediate(() =>
          setImmediate(() => {
            if (!this.done.includes(key)) this.done.push(key);
            resolve();
          }),
        );
      });
    }
  }
  await crashTest(
    (slow: Slow) =>
      workflow({ name: "slow" }, (ctx) =>
        ctx.step("work", (step) => slow.work(step.idempotencyKey), { timeout: "1s" }),
      ),
    {
      input: undefined,
      world: () => new Slow(),
      invariant: ({ world }) => expect(world.done).toHaveLength(1),
    },
  );
});

test("a world with private fields, nested services and synchronous functions is reached as it is", async () => {
  class Shop {
    readonly #orders: string[] = [];
    readonly mail = { sent: [] as string[], send: (to: string) => this.mail.sent.push(to) };
    order(key: string): number {
      if (!this.#orders.includes(key)) this.#orders.push(key);
      return this.#orders.length;
    }
    get size(): number {
      return this.#orders.length;
    }
  }
  const error = await failureOf(
    (shop: Shop) =>
      workflow({ name: "order" }, async (ctx) => {
        await ctx.step("order", (step) => shop.order(step.idempotencyKey));
        await ctx.step("mail", () => void shop.mail.send("me"));
      }),
    {
      input: undefined,
      world: () => new Shop(),
      invariant: ({ world }) => {
        expect(world.size).toBe(1);
        expect(world.mail.sent).toHaveLength(1);
      },
    },
  );
  expect(error.message).toContain("is mail.send");
});

test("a crash list that is none is refused with what one looks like", async () => {
  const small = workflow({ name: "small" }, (ctx) => ctx.step("one", () => 1));
  const error = await rejection(crashTest(small, { input: undefined, only: "call three after" }));
  expect(error.message).toContain('write "call 3 after"');
});

test("without a world a body may take real time, in one it may do so beside the world", async () => {
  const beside = workflow({ name: "beside" }, (ctx) =>
    ctx.step("work", () => setTimeout(20).then(() => 1), { timeout: "5s" }),
  );
  const { points } = await crashTest(beside, { input: undefined, only: "effect 1 after" });
  expect(points.calls).toBeLessThan(25);
  await crashTest(
    (bank: Bank) =>
      workflow({ name: "beside" }, (ctx) =>
        ctx.step("work", async (step) => {
          await setTimeout(20);
          return bank.charge(1, step.idempotencyKey);
        }),
      ),
    { input: undefined, world: () => new Bank(), invariant: once, only: "effect 1 after" },
  );
});

test("what only an abort ends makes no hundred tries wait", async () => {
  const waitedMs: number[] = [];
  await crashTest(
    (gate: { open: (signal: AbortSignal) => Promise<string> }) =>
      workflow({ name: "gate" }, (ctx) =>
        ctx.step("open", ({ signal }) => gate.open(signal), { timeout: "1s" }),
      ),
    {
      input: undefined,
      world: () => {
        let calls = 0;
        return {
          open: (signal: AbortSignal) => {
            const since = performance.now();
            return new Promise<string>((resolve, reject) => {
              if (++calls > 2) return resolve("open");
              signal.addEventListener("abort", () => {
                waitedMs.push(performance.now() - since);
                reject(new Error("aborted"));
              });
            });
          },
        };
      },
    },
  );
  expect(waitedMs.length).toBeGreaterThan(100);
  // A quarter of a second the first three times. How many are short depends on the machine, that there are such does not.
  expect(Math.min(...waitedMs)).toBeLessThan(200);
});

test("the message says what a step fails with, how long it is under way, and what no crash is to blame for", async () => {
  const fails = workflow({ name: "fails" }, (ctx) =>
    ctx.step(
      "fail",
      () => {
        throw new TypeError("send is not a function");
      },
      { retry: { maxDelay: "1d", initialDelay: "1d" } },
    ),
  );
  const failing = await failureOf(fails, { input: undefined });
  expect(failing.message).toMatch(/fail failed \d+ times, last with TypeError: send is not a function/);
  const slow = workflow({ name: "slow" }, (ctx) => ctx.step("work", () => setTimeout(2000)));
  expect((await failureOf(slow, { input: undefined })).message).toContain("step work is still under way");
  let calls = 0n;
  const leaks = workflow({ name: "leaks" }, (ctx) => ctx.step("count", () => new Map([["calls", ++calls]])));
  const leaking = await failureOf(leaks, { input: undefined });
  expect(leaking.message).toContain(
    "its result is Map(1) { 'calls' => 2n } instead of Map(1) { 'calls' => 1n }",
  );
  expect(leaking.message).toContain("No crash is needed");
  expect(leaking.message).not.toContain("repeats it alone");
  expect(
    (await failureOf(careless, { input: 1, world: () => new Bank(), invariant: once })).message,
  ).not.toContain("No crash is needed");
});

test("crashes that break it only now and then are said to", async () => {
  let worlds = 0;
  const world = (): Bank => {
    worlds += 1;
    return new Bank();
  };
  // The third try is the first whose charge nobody hears of.
  const fickle = (bank: Bank) =>
    workflow({ name: "fickle" }, (ctx) =>
      ctx.step("charge", (step) => bank.charge(1, worlds === 3 ? undefined : step.idempotencyKey)),
    );
  const error = await failureOf(fickle, { input: undefined, world, invariant: once });
  expect(error.message).toContain(
    'EVERSTEP_CRASH="effect 1 after" may repeat it, but tried once more it survived',
  );
});

test("a child whose workflow nobody gave is named", async () => {
  const child = workflow({ name: "child" }, () => 1);
  const parent = workflow({ name: "parent" }, (ctx) => ctx.call(child, undefined));
  expect((await failureOf(parent, { input: undefined })).message).toContain(
    "run-1/child (no worker has claimed it: is child version 1 among the `workflows`?)",
  );
});

test("a crash that meets nothing is not counted", async () => {
  const small = workflow({ name: "small" }, (ctx) => ctx.step("one", () => 1));
  expect((await crashTest(small, { input: undefined, only: "effect 9 after" })).faults).toEqual({});
});

test("timers that the test runner fakes are none of its own", async () => {
  vi.useFakeTimers();
  try {
    await crashTest(careful, { input: 1, world: () => new Bank(), invariant: once, only: "effect 1 after" });
  } finally {
    vi.useRealTimers();
  }
});

test("half a minute of waiting is no hundred points", async () => {
  const waits = workflow({ name: "waits" }, (ctx) => ctx.sleep("a while", "30s"));
  const { points } = await crashTest(waits, { input: undefined, only: "none" });
  expect(points.calls).toBeLessThan(30);
});
