/** F106: whatever user code throws (a body, a codec, a logger), it ends neither the process nor other runs. */
import { expect, test } from "vitest";
import { type Codec, FatalError, RetryAfterError, workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const unreadable: Readonly<Record<string, () => unknown>> = {
  "an object without a prototype": (): unknown => Object.create(null) as unknown,
  "a revoked proxy": revoked,
  "a message that throws": () =>
    Object.defineProperty(new Error("x"), "message", {
      get(): never {
        throw new Error("gotcha");
      },
    }),
  "a message that is no text": () =>
    Object.assign(new Error("x"), { message: Object.create(null) as string }),
  "a toString that throws": () => ({
    toString(): never {
      throw new Error("gotcha");
    },
  }),
  "a wish for no instant": () => new RetryAfterError("later", { after: new Date(Number.NaN) }),
};

test.each(Object.entries(unreadable))("a body throws %s: an attempt that failed", async (_, thrown) => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const tried = await ctx.step("flaky", ({ attempt }) => {
      if (attempt < 7) throw thrown();
      return attempt;
    });
    const failed = await ctx
      .step("broken", () => Promise.reject(thrown() as Error), { retry: false })
      .catch((error: unknown) => (error as Error).name);
    return [tried, failed];
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toEqual([7, "StepFailedError"]);
});

test.each(Object.entries(unreadable))("an undo and a handler throw %s", async (_, thrown) => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => "a", {
      compensate: (_done, { attempt }) => {
        if (attempt < 3) throw thrown();
      },
    });
    throw thrown();
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.result().catch(() => {}));
  expect(world.run("r").end).toBe("failed");
  expect(world.journal("r")).toContain("undo a");
});

test("a logger that throws fails nobody", async () => {
  const world = new World();
  const broken = (): never => {
    throw new Error("the disk of the log is full");
  };
  const logger = { debug: broken, info: broken, warn: broken, error: broken };
  const retried = workflow({ name: "retried" }, (ctx) =>
    ctx.step("flaky", ({ attempt, log }) => {
      log.info("trying");
      if (attempt < 7) throw new Error("again");
      return attempt;
    }),
  );
  const buggy = workflow({ name: "buggy" }, () => Promise.reject(new TypeError("a bug")));
  const process = await world.worker([retried, buggy], { logger });
  await process.start(buggy, undefined, { id: "stuck" });
  expect(await process.execute(retried, undefined)).toBe(7);
  expect(world.run("stuck").stuck?.code).toBe("BUG");
});

/** Its vault does not answer the next so many times. */
class FailingCodec implements Codec {
  failures = 0;

  encode(text: string): string {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error("no answer from the vault");
    }
    return text;
  }

  decode(text: string): string {
    return text;
  }
}

const outcomes: Readonly<Record<string, () => unknown>> = {
  "a result": () => "charged",
  "a failed attempt": () => {
    throw new Error("503");
  },
  "a failure for good": () => {
    throw new FatalError("declined");
  },
};

/** A charge, while whose first body the codec begins to fail. */
async function charge(failures: number, outcome: () => unknown) {
  const world = new World();
  const codec = new FailingCodec();
  let lookUps = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      async (step) => {
        world.effect(step, "charge");
        await Promise.resolve();
        if (world.effects.length > 1) return "again";
        codec.failures = failures;
        return outcome();
      },
      { inDoubt: () => Promise.resolve({ result: `found ${++lookUps}` }) },
    ),
  );
  const process = await world.worker([definition], { codec });
  const run = await process.start(definition, undefined, { id: "r" });
  return { world, process, run };
}

test.each(Object.entries(outcomes))(
  "a codec throws at %s: the run is stuck, the step in doubt",
  async (_, outcome) => {
    const { world, process, run } = await charge(1, outcome);
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("no answer from the vault") as string,
    });
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(run.result())).toBe("found 1");
    expect(world.effects).toHaveLength(1);
  },
);

test.each(Object.entries(outcomes))(
  "a codec throws for longer at %s: given back, the step in doubt",
  async (_, outcome) => {
    const { world, run } = await charge(2, outcome);
    expect(await world.settle(run.result())).toBe("found 1");
    expect(world.effects).toHaveLength(1);
  },
);
