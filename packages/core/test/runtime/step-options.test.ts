/** The options of `ctx.step`, one by one. */
import * as v from "valibot";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  type Context,
  FatalError,
  RetryAfterError,
  type StepContext,
  type StepOptions,
  workflow,
} from "../../src/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

/** Executes a run of this handler and answers with its result. */
function execute<O>(world: World, handler: (ctx: Context) => Promise<O> | O): Promise<O> {
  const definition = workflow<undefined, O>({ name: "w" }, (ctx) => handler(ctx));
  return world.worker([definition]).then((process) => process.execute(definition, undefined, { id: "r" }));
}

/** A step whose body fails so many times; when each attempt began, in ms after the first. */
async function attemptsOf(world: World, failures: number, options: StepOptions<string>): Promise<number[]> {
  const at: number[] = [];
  await execute(world, (ctx) =>
    ctx
      .step(
        "flaky",
        () => {
          at.push(world.clock.now());
          if (at.length <= failures) throw new Error(`failure ${at.length}`);
          return "done";
        },
        options,
      )
      .catch(() => "gave up"),
  );
  return at.map((instant) => instant - (at[0] ?? 0));
}

test("F81: `key` gives a step the identity name[key], whatever the order of a parallel map", async () => {
  const world = new World();
  const keys: string[] = [];
  const result = await execute(world, (ctx) =>
    Promise.all(
      ["b", "a"].map((sku) =>
        ctx.step(
          "reserve",
          (step) => {
            keys.push(step.idempotencyKey);
            return sku;
          },
          { key: sku },
        ),
      ),
    ),
  );
  expect(result).toEqual(["b", "a"]);
  expect(keys).toEqual(["r/reserve[b]", "r/reserve[a]"]);
  expect(world.journal("r")).toEqual(["step reserve[b]", "step reserve[a]", "end completed"]);
});

test("F81: the nth step of a name has the key name#n", async () => {
  const world = new World();
  const keys = await execute(world, async (ctx) => {
    const own: string[] = [];
    for (let n = 0; n < 3; n++) own.push(await ctx.step("again", (step) => step.idempotencyKey));
    return own;
  });
  expect(keys).toEqual(["r/again", "r/again#2", "r/again#3"]);
});

test("without a policy a step is tried again after up to 500 ms, then twice as long each time, up to 60 s", async () => {
  const world = new World();
  const at = await attemptsOf(world, 12, {});
  expect(at).toHaveLength(13);
  for (const [index, waitMs] of at
    .slice(1)
    .map((instant, index) => instant - (at[index] ?? 0))
    .entries()) {
    // A wait of more than 5 s is a parked run, which is claimed again when it is due.
    expect(waitMs).toBeLessThanOrEqual(Math.min(60_000, 500 * 2 ** index) + 10);
  }
});

test("the jitter draws each wait anew between nothing and its bound", async () => {
  const waits: number[] = [];
  for (const seed of ["1", "2", "3", "4", "5"]) {
    const [, second = 0] = await attemptsOf(new World({ seed }), 1, { retry: { initialDelay: 1000 } });
    waits.push(second);
  }
  expect(new Set(waits).size).toBe(5);
  for (const waitMs of waits) expect(waitMs).toBeLessThanOrEqual(1000);
});

test("maxAttempts bounds the attempts, and the step rejects with what failed last", async () => {
  const world = new World();
  const error = await execute(world, (ctx) =>
    rejection(
      ctx.step(
        "flaky",
        (step) => {
          throw new Error(`failure ${step.attempt}`);
        },
        { retry: { maxAttempts: 3, initialDelay: 10 } },
      ),
    ),
  );
  expect(error).toMatchObject({ name: "StepFailedError", code: "STEP_FAILED", attempts: 3, step: "flaky" });
  expect(error).toMatchObject({ cause: { message: "failure 3" } });
});

test("`retry: false` is a single attempt", async () => {
  expect(await attemptsOf(new World(), 5, { retry: false })).toEqual([0]);
});

test("a step without a policy of its own has that of its workflow", async () => {
  const world = new World();
  const definition = workflow({ name: "w", retry: { maxAttempts: 2, initialDelay: 10 } }, (ctx) =>
    ctx
      .step("flaky", (step) => {
        world.effect(step, "flaky");
        throw new Error("no");
      })
      .catch(() => "gave up"),
  );
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("gave up");
  expect(world.effects.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test("no attempt begins later than maxElapsed after the first one", async () => {
  const at = await attemptsOf(new World(), 1000, {
    retry: { initialDelay: "1s", factor: 1, maxElapsed: "10s" },
  });
  expect(at.length).toBeGreaterThan(5);
  expect(Math.max(...at)).toBeLessThanOrEqual(10_010);
});

test('onExhausted "stick" leaves the run stuck for a person instead of failing it', async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "flaky",
      (step) => {
        if (step.attempt < 4) throw new Error("down");
        return "up";
      },
      { retry: { maxAttempts: 2, initialDelay: 10, onExhausted: "stick" } },
    ),
  );
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r")).toMatchObject({
    end: null,
    owner: null,
    stuck: { code: "EXHAUSTED", key: "flaky" },
  });
});

test("FatalError fails the step at once, with its code and details", async () => {
  const world = new World();
  const error = await execute(world, (ctx) =>
    rejection(
      ctx.step("charge", (step) => {
        world.effect(step, "charge");
        throw new FatalError("declined", { code: "card_declined", details: { reason: "limit" } });
      }),
    ),
  );
  expect(error).toMatchObject({
    attempts: 1,
    cause: { name: "FatalError", code: "card_declined", details: { reason: "limit" } },
  });
  expect(error.cause).toBeInstanceOf(FatalError);
  expect(world.effectNames).toEqual(["charge"]);
});

test.each([
  ["milliseconds", 20_000],
  ["a text", "20s"],
  ["a date", new Date(Date.UTC(2026, 0, 1) + 20_000)],
])("RetryAfterError puts the next attempt off: %s", async (_, after) => {
  const world = new World();
  const at: number[] = [];
  await execute(world, (ctx) =>
    ctx.step("busy", () => {
      at.push(world.clock.now());
      if (at.length === 1) throw new RetryAfterError("busy", { after });
    }),
  );
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(19_990);
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeLessThan(22_000);
});

test("F95: the attempt's number and its failures outlive the process", async () => {
  const world = new World();
  const attempts: number[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "flaky",
      (step) => {
        attempts.push(step.attempt);
        if (step.attempt < 4) throw new Error("down");
      },
      { retry: { initialDelay: "3s", factor: 1 } },
    ),
  );
  const first = await world.worker([definition]);
  await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => attempts.length === 2);
  await world.pass(1);
  first.kill();
  await world.worker([definition]);
  await world.passUntil(() => world.run("r").end !== null);
  expect(attempts).toEqual([1, 2, 3, 4]);
});

test("P3: the idempotency key is the same in every attempt, and at most 255 characters long", async () => {
  const world = new World();
  const keys: string[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "step",
      (step) => {
        keys.push(step.idempotencyKey);
        if (step.attempt < 3) throw new Error("again");
      },
      { key: "k".repeat(200), retry: { initialDelay: 10 } },
    ),
  );
  const process = await world.worker([definition]);
  await process.execute(definition, undefined, { id: "i".repeat(300) });
  expect(new Set(keys).size).toBe(1);
  expect(keys).toHaveLength(3);
  expect(keys[0]).toHaveLength(255);
});

// -------------------------------------------------------------------------------- timeout

test("F96: a timeout aborts the signal, counts as a failure and says that its outcome is unknown", async () => {
  const world = new World();
  const reasons: unknown[] = [];
  const error = await execute(world, (ctx) =>
    rejection(
      ctx.step(
        "slow",
        (step) => {
          step.signal.addEventListener("abort", () => reasons.push(step.signal.reason));
          return untilAborted(step);
        },
        { timeout: "2s", retry: { maxAttempts: 2, initialDelay: 10 } },
      ),
    ),
  );
  expect(error).toMatchObject({ attempts: 2, cause: { code: "STEP_TIMEOUT" } });
  expect(reasons).toMatchObject([{ code: "STEP_TIMEOUT" }, { code: "STEP_TIMEOUT" }]);
});

test("F96: a late success counts", async () => {
  const world = new World();
  const result = await execute(world, (ctx) =>
    ctx.step(
      "slow",
      (step) => {
        world.effect(step, "slow");
        return new Promise<string>((resolve) => world.clock.after(3000, () => resolve("late")));
      },
      { timeout: "2s" },
    ),
  );
  expect(result).toBe("late");
  expect(world.effectNames).toEqual(["slow"]);
});

test("F96: a body that ignores its signal for as long again is given up, and the next attempt begins beside it", async () => {
  const world = new World();
  const first = gate<string>();
  const began: number[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "slow",
      (step) => {
        began.push(world.clock.monotonic());
        return step.attempt === 1 ? first.promise : "second";
      },
      { timeout: "2s", retry: { initialDelay: 10 } },
    ),
  );
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  expect(await world.settle(run.result())).toBe("second");
  expect((began[1] ?? 0) - (began[0] ?? 0)).toBeGreaterThanOrEqual(4000);
  expect((began[1] ?? 0) - (began[0] ?? 0)).toBeLessThan(4100);
  first.open("too late");
  await world.pass(100);
  expect(world.run("r").result).toBe('"second"');
});

// -------------------------------------------------------------------------------- output

const SCHEMAS = {
  zod: z.object({ id: z.string(), total: z.coerce.number() }),
  valibot: v.object({ id: v.string(), total: v.pipe(v.unknown(), v.transform(Number), v.number()) }),
};

test.each(Object.entries(SCHEMAS))(
  "%s: the schema's output is what is journaled and returned",
  async (_, schema) => {
    const world = new World();
    const body = (): unknown => ({ id: "o-1", total: "42", extra: true });
    const result = await execute(world, (ctx) =>
      ctx.step("load", body as () => { id: string; total: number }, { output: schema }),
    );
    expect(result).toEqual({ id: "o-1", total: 42 });
    expect(JSON.parse(world.run("r").journal[0]?.value ?? "")).toEqual({ id: "o-1", total: 42 });
  },
);

test.each(Object.entries(SCHEMAS))(
  "%s: an invalid result fails the step for good, its body runs once",
  async (_, schema) => {
    const world = new World();
    const error = await execute(world, (ctx) =>
      rejection(
        ctx.step(
          "load",
          (step: StepContext) => {
            world.effect(step, "load");
            return { id: 1 } as unknown as { id: string; total: number };
          },
          { output: schema },
        ),
      ),
    );
    expect(error).toMatchObject({ code: "STEP_FAILED", cause: { code: "VALIDATION" } });
    expect(String(error.cause)).toContain("id");
    expect(world.effectNames).toEqual(["load"]);
  },
);

test("a schema that validates asynchronously is awaited", async () => {
  const world = new World();
  const schema = z.string().refine(async (text) => text.length > 2);
  expect(await execute(world, (ctx) => ctx.step("load", () => "long", { output: schema }))).toBe("long");
});
