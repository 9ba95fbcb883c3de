/** A claim is never let go while one of its bodies runs, however the run comes to its end. */
import { expect, test } from "vitest";
import { type Context, FatalError, type StepContext, workflow } from "../../src/index.ts";
import { gate, type Process, World } from "../support/world.ts";

interface Scene {
  readonly world: World;
  readonly process: Process;
  /** Lets the body that ignores everything end. */
  readonly end: () => void;
}

/** A run with a body that ignores its signal, beside what the handler does. */
async function beside(
  handler: (ctx: Context, world: World) => Promise<unknown>,
  prepare: (process: Process) => void = () => {},
): Promise<Scene> {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const stubborn = ctx.step("stubborn", async (step: StepContext) => {
      world.effect(step, "begin");
      await body.promise;
      world.effect(step, "end");
    });
    await Promise.all([handler(ctx, world), stubborn]);
  });
  const process = await world.worker([definition]);
  prepare(process);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(3000);
  return { world, process, end: () => body.open() };
}

/** Far longer than anything else lasts, but for the grace of a body whose run closes. */
async function isHeldUntilTheEnd({ world, end }: Scene): Promise<void> {
  await world.pass(20_000);
  expect(world.run("r")).toMatchObject({ owner: 1, end: null, stuck: null });
  expect(world.effectNames).toEqual(["begin"]);
  end();
  await world.passUntil(() => world.run("r").owner === null);
  expect(world.effectNames).toEqual(["begin", "end"]);
  expect(world.run("r").attempt).toBe(1);
}

test("when its sibling sleeps", async () => {
  const scene = await beside((ctx) => ctx.sleep("nap", "365d"));
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r")).toMatchObject({ end: null, waits: [{ kind: "timer" }] });
});

test("when its sibling waits for a signal", async () => {
  await isHeldUntilTheEnd(await beside((ctx) => ctx.waitForSignal("go")));
});

test("when its sibling fails the run", async () => {
  const scene = await beside((ctx) =>
    ctx.step("declined", () => {
      throw new FatalError("declined");
    }),
  );
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r").end).toBe("failed");
});

test("but a body that ignores its signal is given up after a grace when its run closes", async () => {
  const { world, process, end } = await beside((ctx) => ctx.sleep("nap", "365d"));
  await process.client.get("r").cancel();
  await world.pass(25_000);
  expect(world.run("r")).toMatchObject({ owner: 1, end: null });
  await world.pass(6000);
  expect(world.run("r")).toMatchObject({ owner: null, end: "canceled" });
  const journal = world.journal("r");
  end();
  await world.pass(5000);
  expect(world.effectNames).toEqual(["begin", "end"]);
  expect(world.journal("r")).toEqual(journal);
});

test("when its sibling has a bug", async () => {
  const scene = await beside(async (ctx) => {
    await ctx.step("fine", () => 1);
    throw new TypeError("a bug");
  });
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r").stuck).toMatchObject({ code: "BUG" });
  expect(scene.world.journal("r")).toEqual(["step fine", "step stubborn"]);
});

test("when its sibling is exhausted", async () => {
  const scene = await beside((ctx) =>
    ctx.step(
      "down",
      () => {
        throw new Error("down");
      },
      { retry: { maxAttempts: 1, onExhausted: "stick" } },
    ),
  );
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r").stuck).toMatchObject({ code: "EXHAUSTED" });
});

test("when the run is canceled", async () => {
  const scene = await beside((ctx) => ctx.waitForSignal("never"));
  await scene.world.settle(scene.process.client.get("r").cancel());
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r").end).toBe("canceled");
});

test("when the store refuses what its sibling wrote", async () => {
  const scene = await beside(
    (ctx, world) =>
      ctx.step("bad", () => new Promise((resolve) => world.clock.after(1000, () => resolve("bad")))),
    (process) => {
      const commit = process.store.commit.bind(process.store);
      process.store.commit = async (batch) => {
        const isBad = batch.writes.some(
          (write) => write.kind === "advance" && write.entries.some(({ key }) => key === "bad"),
        );
        if (!isBad) return commit(batch);
        await commit({ ...batch, writes: [] });
        return batch.writes.map(() => ({ is: "refused", reason: "bad bytes" }));
      };
    },
  );
  await isHeldUntilTheEnd(scene);
  expect(scene.world.run("r").stuck).toMatchObject({ code: "REFUSED" });
});

test("a retry that waits beside it does not park the run", async () => {
  await isHeldUntilTheEnd(
    await beside((ctx) =>
      ctx.step(
        "down",
        () => {
          throw new Error("down");
        },
        { retry: { initialDelay: "30d", factor: 1, maxDelay: "30d" } },
      ),
    ),
  );
});

test("what the code asks for while the run is being parked is not lost when a signal keeps it", async () => {
  const world = new World();
  const own = gate();
  const parking = gate();
  const definition = workflow({ name: "w" }, (ctx) => {
    const branch = async (): Promise<string> => {
      await own.promise;
      return ctx.step("late", () => "asked while parking");
    };
    return Promise.all([ctx.waitForSignal("go"), branch()]);
  });
  const process = await world.worker([definition]);
  const commit = process.store.commit.bind(process.store);
  process.store.commit = async (batch) => {
    if (batch.writes.some((write) => write.kind === "advance" && write.then?.do === "park")) {
      own.open();
      await parking.promise;
    }
    return commit(batch);
  };
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(100);
  await world.settle(world.process().client.get("r").signal("go", "came"));
  parking.open();
  expect(await world.settle(run.result())).toEqual(["came", "asked while parking"]);
});

test("a run that waits for nothing but its own code stays in memory", async () => {
  const world = new World();
  const own = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await own.promise;
    return ctx.step("step", () => "done");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(60_000);
  expect(world.run("r").owner).toBe(1);
  own.open();
  expect(await world.settle(run.result())).toBe("done");
});

test("a slot that a parked run leaves is taken at once", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("work", async () => {
      await new Promise<void>((resolve) => world.clock.after(100, resolve));
    });
    await ctx.waitForSignal("go");
  });
  const process = await world.worker([definition], { concurrency: 1 });
  await world.pass(1000);
  for (const round of [1, 2, 3]) {
    const since = world.clock.monotonic();
    await process.start(definition, undefined, { id: `first ${round}` });
    await process.start(definition, undefined, { id: `second ${round}` });
    await world.passUntil(() => world.run(`second ${round}`).waits.length > 0);
    expect(world.clock.monotonic() - since).toBeLessThan(300);
    await world.pass(700);
  }
});
