/** P2, P3: a run that a person sent back: what runs again, what does not, and under which keys. */
import { expect, test } from "vitest";
import { type EndStatus, FatalError, workflow } from "../../src/index.ts";
import { type Process, rejection, World } from "../support/world.ts";

/** What `client.runs.retry` and `rewind` write. */
async function reset(process: Process, id: string, note: { readonly to: number; readonly carry: boolean }) {
  const { world } = process;
  const { journal, attempt } = world.run(id);
  const value = JSON.stringify({ operation: note.carry ? "retry" : "rewind", ...note });
  const entry = { seq: journal.length + 1, kind: "reset", key: "op", at: world.clock.now(), value } as const;
  const [outcome] = await world.settle(
    process.store.commit({
      writes: [
        {
          kind: "mend",
          runId: id,
          attempt,
          length: journal.length,
          entries: [{ ...entry, key: `op-${journal.length}` }],
          settled: "all",
          phase: "forward",
          then: "due",
        },
      ],
    }),
  );
  expect(outcome).toEqual({ is: "done" });
}

async function end(world: World, id: string, status: EndStatus): Promise<void> {
  await world.passUntil(() => world.run(id).end === status);
}

test("a retry goes on from the step that failed, under a new idempotency key, and keeps what succeeded", async () => {
  const world = new World();
  let isDown = true;
  const definition = workflow({ name: "w" }, async (ctx) => {
    const first = await ctx.step("first", (step) => {
      world.effect(step, "first");
      return 1;
    });
    const both = await Promise.allSettled([
      ctx.step("declined", (step) => {
        world.effect(step, "declined");
        if (isDown) throw new FatalError("down");
        return 2;
      }),
      ctx.step("beside", (step) => {
        world.effect(step, "beside");
        return 3;
      }),
    ]);
    const failed = both.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw new FatalError("one failed");
    return [first, ...both.map((one) => "value" in one && one.value)];
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(rejection(run.result()));
  expect(world.journal("r")).toEqual(["step first", "step declined", "step beside", "end failed"]);
  isDown = false;
  await reset(process, "r", { to: 1, carry: true });
  expect(await world.settle(run.result())).toEqual([1, 2, 3]);
  expect(world.effects.map(({ key }) => key)).toEqual(["r/first", "r/declined", "r/beside", "r/declined~2"]);
  expect(world.journal("r").slice(4)).toEqual([
    "reset op-4",
    "step beside",
    "step declined",
    "end completed",
  ]);
});

test("what was carried over is undone when the run fails later", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await Promise.all([
      ctx.step("declined", () => {
        throw new FatalError("down");
      }),
      ctx.step("beside", () => "done", {
        compensate: (done, step) => world.effect(step, `undo ${JSON.stringify(done)}`),
      }),
    ]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").journal.length > 1);
  await end(world, "r", "failed");
  expect(world.effectNames).toEqual(['undo {"outcome":"completed","result":"done"}']);
  await reset(process, "r", { to: 0, carry: true });
  await world.settle(rejection(run.result()));
  // Undone already, so it ran again, and was undone again.
  expect(world.effects.map(({ key }) => key)).toEqual(["r/beside/undo", "r/beside~2/undo"]);
});

test("a rewind runs steps again under new keys, once more with each rewind", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    await ctx.step("b", (step) => world.effect(step, "b"));
  });
  const process = await world.worker([definition]);
  await process.execute(definition, undefined, { id: "r" });
  await reset(process, "r", { to: 1, carry: false });
  await end(world, "r", "completed");
  await reset(process, "r", { to: 0, carry: false });
  await end(world, "r", "completed");
  expect(world.effects.map(({ key }) => key)).toEqual(["r/a", "r/b", "r/b~2", "r/a~2", "r/b~3"]);
  expect(world.run("r").journal.map(({ seq }) => seq)).toEqual(
    world.run("r").journal.map((_, index) => index + 1),
  );
});

test("a rewind gives signals back, children and what is sent out get new ids", async () => {
  const world = new World();
  const child = workflow({ name: "child" }, (ctx) => ctx.uuid());
  const definition = workflow({ name: "w" }, async (ctx) => {
    const go = await ctx.waitForSignal("go");
    await ctx.call(child, undefined);
    const { id } = await ctx.start(child, undefined, { name: "detached" });
    await ctx.emit("done", go);
    await ctx.signal(id, "hello", 1).catch(() => {});
    return go;
  });
  const process = await world.worker([child, definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.signal("go", 7));
  expect(await world.settle(run.result())).toBe(7);
  await reset(process, "r", { to: 0, carry: false });
  await end(world, "r", "completed");
  expect(await world.settle(run.result())).toBe(7);
  const ids = world.store.dump().runs.map(({ id }) => id);
  expect(ids).toEqual(["r", "r/child", "r/child~2", "r/detached", "r/detached~2"]);
  const events = await world.settle(world.store.events({ limit: 10 }));
  expect(events.map(({ id }) => id).toSorted()).toEqual(["r/emit done", "r/emit done~2"]);
});

test("a reset is replayed like everything else", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    await ctx.sleep("nap", "5m");
    await ctx.step("b", (step) => world.effect(step, "b"));
    await ctx.sleep("rest", "5m");
  });
  const process = await world.worker([definition]);
  await process.execute(definition, undefined, { id: "r" });
  await reset(process, "r", { to: 2, carry: false });
  await end(world, "r", "completed");
  expect(world.effects.map(({ key }) => key)).toEqual(["r/a", "r/b", "r/b~2"]);
  expect(world.run("r").attempt).toBeGreaterThan(4);
});

test("a run that took too long has its time again", async () => {
  const world = new World();
  const definition = workflow({ name: "w", timeout: "1m" }, async (ctx) => {
    await ctx.waitForSignal("go");
    await ctx.sleep("nap", "30s");
    return "in time";
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  expect(await world.settle(rejection(run.result()))).toMatchObject({ cause: { name: "RunTimeoutError" } });
  await world.pass(600_000);
  await reset(process, "r", { to: 0, carry: true });
  await world.settle(run.signal("go"));
  expect(await world.settle(run.result())).toBe("in time");
});
