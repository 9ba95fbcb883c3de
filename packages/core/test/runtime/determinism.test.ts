/** First run = replay: what the code sees does not depend on crashes, on speed, or on how often it is replayed. */
import { describe, expect, test } from "vitest";
import { type Context, FatalError, workflow, type Workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

/** Bodies that take so long, in virtual milliseconds. */
type Speeds = Readonly<Record<string, number>>;

interface Scene {
  readonly world: World;
  /** A step whose body takes as long as its name's speed says. */
  readonly body: (ctx: Context, name: string) => Promise<string>;
  /** A step that fails for good, as late. */
  readonly fails: (ctx: Context, name: string) => Promise<string>;
}

function sceneOf(speeds: Speeds): Scene {
  const world = new World();
  const wait = (name: string): Promise<void> =>
    new Promise((resolve) => world.clock.after(speeds[name] ?? 0, resolve));
  return {
    world,
    body: (ctx, name) =>
      ctx.step(name, async () => {
        await wait(name);
        return name;
      }),
    fails: (ctx, name) =>
      ctx.step(name, async () => {
        await wait(name);
        throw new FatalError(name);
      }),
  };
}

/** Every attempt's story of one run that sleeps twice at its end: so there are three attempts. */
async function stories(speeds: Speeds, tell: (ctx: Context, scene: Scene) => Promise<unknown>) {
  const scene = sceneOf(speeds);
  const told: unknown[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    const story = await tell(ctx, scene);
    told.push(story);
    await ctx.sleep("nap 1", "10s");
    await ctx.sleep("nap 2", "10s");
  });
  const process = await scene.world.worker([definition]);
  await process.execute(definition, undefined, { id: "r" });
  expect(told).toHaveLength(3);
  expect(told[1]).toEqual(told[0]);
  expect(told[2]).toEqual(told[0]);
  return told[0];
}

const ORDERS: readonly Speeds[] = [
  { a: 10, b: 20, c: 30 },
  { a: 30, b: 20, c: 10 },
  { a: 20, b: 10, c: 30 },
  { a: 10, b: 10, c: 10 },
  {},
];

describe.each(ORDERS)("F83: with bodies of %j", (speeds) => {
  const bySpeed = ["a", "b", "c"].toSorted((x, y) => (speeds[x] ?? 0) - (speeds[y] ?? 0));

  test("Promise.race has one winner ever after", async () => {
    const winner = await stories(speeds, (ctx, { body }) =>
      Promise.race([body(ctx, "a"), body(ctx, "b"), body(ctx, "c")]),
    );
    expect(winner).toBe(bySpeed[0]);
  });

  test("branches of Promise.all resume one by one in the order of the journal", async () => {
    const order = await stories(speeds, async (ctx, { body }) => {
      const seen: string[] = [];
      await Promise.all(["a", "b", "c"].map((name) => body(ctx, name).then((value) => seen.push(value))));
      return seen;
    });
    expect(order).toEqual(bySpeed);
  });

  test("Promise.all rejects with the same first failure", async () => {
    const failure = await stories(speeds, (ctx, { body, fails }) =>
      Promise.all([fails(ctx, "a"), fails(ctx, "b"), body(ctx, "c")]).catch((error: unknown) =>
        String(error),
      ),
    );
    expect(failure).toContain(`step ${bySpeed.find((name) => name !== "c")} failed`);
  });

  test("Promise.any has the same first success", async () => {
    const winner = await stories(speeds, (ctx, { body, fails }) =>
      Promise.any([fails(ctx, "a"), body(ctx, "b"), body(ctx, "c")]),
    );
    expect(winner).toBe(bySpeed.find((name) => name !== "a"));
  });

  test("Promise.allSettled tells the same", async () => {
    const settled = await stories(speeds, async (ctx, { body, fails }) => {
      const results = await Promise.allSettled([fails(ctx, "a"), body(ctx, "b"), body(ctx, "c")]);
      return results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason)));
    });
    expect(settled).toMatchObject([expect.stringContaining("step a failed"), "b", "c"]);
  });

  test("what branches ask for next keeps its keys", async () => {
    await stories(speeds, async (ctx, { body }) => {
      const keys: string[] = [];
      await Promise.all(
        ["a", "b", "c"].map(async (name) => {
          await body(ctx, name);
          keys.push(`${name} ${await ctx.step("next", (step) => step.idempotencyKey)}`);
        }),
      );
      return keys;
    });
  });
});

test("now(), random() and uuid() are the same in every attempt", async () => {
  await stories({ a: 500, b: 700 }, async (ctx, { body }) => {
    const draw = (): unknown[] => [ctx.now().getTime(), ctx.random(), ctx.uuid()];
    const before = draw();
    await Promise.all([body(ctx, "a").then(() => before.push(...draw())), body(ctx, "b")]);
    return [...before, ...draw()];
  });
});

test("now() is the time of the last outcome that the code has seen, and the run's start before that", async () => {
  const { world, body } = sceneOf({ a: 700 });
  const definition = workflow({ name: "w" }, async (ctx) => {
    const times = [ctx.now().getTime() - ctx.run.startedAt.getTime()];
    await body(ctx, "a");
    times.push(ctx.now().getTime() - ctx.run.startedAt.getTime());
    return times;
  });
  const process = await world.worker([definition]);
  const [first, second] = await process.execute(definition, undefined, { id: "r" });
  expect(first).toBe(0);
  expect(second).toBe((world.run("r").journal[0]?.at ?? 0) - (world.run("r").startedAt ?? 0));
  expect(second).toBeGreaterThanOrEqual(700);
});

test("random() is drawn anew by each run, in [0, 1), and uuid() is a version 4 UUID", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => [ctx.random(), ctx.uuid()] as const);
  const process = await world.worker([definition]);
  const draws = new Set<unknown>();
  for (let n = 0; n < 20; n++) {
    const [number, uuid] = await process.execute(definition, undefined);
    expect(number).toBeGreaterThanOrEqual(0);
    expect(number).toBeLessThan(1);
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    draws.add(number).add(uuid);
  }
  expect(draws.size).toBe(40);
});

test("ctx.run does not change between attempts", async () => {
  await stories({}, async (ctx) => ({ ...ctx.run, startedAt: ctx.run.startedAt.getTime() }));
});

test("F82: code that branches on something of its own is stopped before any effect", async () => {
  const world = new World();
  let flag = true;
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step(flag ? "on" : "off", (step) => world.effect(step, flag ? "on" : "off"));
    await ctx.sleep("nap", "10s");
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  flag = false;
  await world.passUntil(() => world.run("r").stuck !== null);
  const { stuck } = world.run("r");
  expect(stuck).toMatchObject({ code: "DIVERGED", key: "on" });
  for (const part of ["step on", "entry 1", "step off", "`was`", "ctx.patched()", "version"])
    expect(stuck?.message).toContain(part);
  expect(world.effectNames).toEqual(["on"]);
});

test("awaits of the code's own, of up to a second, are no divergence", async () => {
  const world = new World();
  const own = (ms: number): Promise<void> => new Promise((resolve) => world.clock.after(ms, resolve));
  const definition = workflow({ name: "w" }, async (ctx) => {
    await own(900);
    await ctx.step("a", () => 1);
    await own(900);
    await ctx.step("b", () => 1);
    await ctx.sleep("nap", "10s");
    return "done";
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("done");
});

describe("F80: patched", () => {
  const version = (world: World, isNew: boolean): Workflow<undefined, readonly unknown[]> =>
    workflow({ name: "w" }, async (ctx) => {
      const told: unknown[] = [await ctx.step("a", () => "a")];
      if (isNew) {
        const isPatched = ctx.patched("add-b");
        told.push(isPatched, ctx.patched("add-b"));
        if (isPatched) told.push(await ctx.step("b", () => "b"));
      }
      told.push(await ctx.step("c", (step) => world.effect(step, "c")));
      await ctx.sleep("nap", "20s");
      return told;
    });

  test("true in runs that reach the change with the new code, on replay as well", async () => {
    const world = new World();
    const definition = version(world, true);
    const process = await world.worker([definition]);
    expect(await process.execute(definition, undefined, { id: "r" })).toEqual([
      "a",
      true,
      true,
      "b",
      undefined,
    ]);
    expect(world.journal("r")).toContain("patched add-b");
  });

  test("false in runs that passed it with the old code", async () => {
    const world = new World();
    const first = await world.worker([version(world, false)]);
    const run = await first.start(version(world, false), undefined, { id: "r" });
    await world.pass(1000);
    first.kill();
    const second = await world.worker([version(world, true)]);
    expect(await world.settle(second.client.get(run.id).result())).toEqual(["a", false, false, undefined]);
    expect(world.effectNames).toEqual(["c"]);
  });

  test("true in a run that is resumed at the very place that was mended", async () => {
    const world = new World();
    let code: "old" | "new" = "old";
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("a", () => "a");
      if (code === "old" || !ctx.patched("mend")) throw new TypeError("a bug");
      await ctx.sleep("nap", "10s");
      return "mended";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    code = "new";
    await world.settle(process.client.runs.resume("r"));
    await world.passUntil(() => world.run("r").end !== null || world.run("r").stuck !== null);
    expect(await world.settle(run.status())).toBe("completed");
  });
});

test("F94: log is silent while replaying", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.log.info("begin");
    await ctx.step("a", () => 1);
    ctx.log.info("after a", { n: 1 });
    await ctx.step("b", () => 1);
    await ctx.sleep("nap", "10s");
    ctx.log.warn("after nap");
    await ctx.step("c", () => 1);
  });
  const process = await world.worker([definition]);
  await process.execute(definition, undefined, { id: "r" });
  expect(world.lines).toEqual([
    { level: "info", message: "begin", fields: { run: "r" } },
    { level: "info", message: "after a", fields: { run: "r", n: 1 } },
    { level: "warn", message: "after nap", fields: { run: "r" } },
  ]);
});

test("tags are merged, searchable, and durable with the next entry", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.tag({ customer: "7", stage: "new" });
    await ctx.step("a", () => 1);
    ctx.tag({ stage: "paid" });
    await ctx.sleep("nap", "10s");
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r", tags: { source: "web" } });
  await world.passUntil(() => world.run("r").owner === null);
  expect(world.run("r").tags).toEqual({ customer: "7", source: "web", stage: "paid" });
  const found = await world.settle(process.client.runs.list({ tag: { customer: "7", stage: "paid" } }));
  expect(found.runs.map(({ id }) => id)).toEqual(["r"]);
});

test.each([5, 6, 7])(
  "tags that were set between two entries of one commit are not lost with their process (call %i)",
  async (at) => {
    const world = new World();
    const other = workflow({ name: "other" }, () => {});
    const definition = workflow({ name: "w" }, async (ctx) => {
      const first = ctx.start(other, undefined).then(() => ctx.tag({ stage: "started" }));
      await Promise.all([first, ctx.start(other, undefined, { name: "second" })]);
      await ctx.sleep("nap", "10s");
    });
    const dying = await world.worker([definition, other], { plan: { at, when: "before" } });
    await dying.start(definition, undefined, { id: "r" });
    await world.passUntil(() => dying.store.dead);
    const process = await world.worker([definition, other]);
    await world.settle(process.client.get("r").result());
    expect(world.run("r").tags).toEqual({ stage: "started" });
  },
);

test("tags are not written again by a replay", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.tag({ stage: "new" });
    await ctx.step("a", () => 1);
    ctx.tag({ stage: "old" });
    await ctx.waitForSignal("go");
    await ctx.sleep("nap", "10s");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").owner === null);
  const commit = process.store.commit.bind(process.store);
  const tagging: unknown[] = [];
  process.store.commit = (batch) => {
    tagging.push(...batch.writes.filter((write) => write.kind === "advance" && write.tags !== undefined));
    return commit(batch);
  };
  await world.settle(run.signal("go"));
  await world.settle(run.result());
  expect(tagging).toEqual([]);
});
