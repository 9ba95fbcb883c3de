/** The state chart: each transition by its line, seen as people see it. */
import { describe, expect, test } from "vitest";
import { type Context, FatalError, type RunHandle, workflow, type Workflow } from "../../src/index.ts";
import { gate, type Process, rejection, untilAborted, World } from "../support/world.ts";

interface Scene {
  readonly world: World;
  readonly process: Process;
  readonly run: RunHandle;
  readonly definition: Workflow<undefined>;
  /** The statuses in the order in which they were seen, each once in a row. */
  readonly seen: string[];
}

/** A run of this handler, watched every 50 ms. */
async function watch(
  handler: (ctx: Context, world: World) => unknown,
  options: { timeout?: string } = {},
): Promise<Scene> {
  const world = new World();
  const definition = workflow<undefined, unknown>({ name: "w", ...options }, (ctx) => handler(ctx, world));
  const seen: string[] = [];
  const observer = world.process();
  const look = (): void => {
    observer.client
      .get("r")
      .status()
      .then((status) => {
        if (seen.at(-1) !== status) seen.push(status);
      })
      .catch(() => {});
    world.clock.after(50, look);
  };
  look();
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  return { world, process, run, definition, seen };
}

const decline = (ctx: Context): Promise<never> =>
  ctx.step("declined", () => {
    throw new FatalError("declined");
  });

const slowUndo = (ctx: Context, world: World): void =>
  ctx.compensate("undo", () => new Promise<void>((resolve) => world.clock.after(1000, resolve)));

const slow = (ctx: Context, world: World): Promise<void> =>
  ctx.step("slow", () => new Promise<void>((resolve) => world.clock.after(1000, resolve)));

describe("start", () => {
  test("start → ready --claim--> running", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) => slow(ctx, world));
    const run = await world.process().start(definition, undefined, { id: "r" });
    expect(await world.settle(run.status())).toBe("ready");
    await world.worker([definition]);
    await world.pass(100);
    expect(await world.settle(run.status())).toBe("running");
    expect(world.run("r")).toMatchObject({ attempt: 1 });
  });

  test("start → running: born claimed where a worker of this process has a slot", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) => slow(ctx, world));
    const process = await world.worker([definition], { concurrency: 1 });
    const claims = process.store.calls.filter((call) => call.startsWith("claim")).length;
    await process.start(definition, undefined, { id: "r" });
    expect(world.run("r")).toMatchObject({ owner: 1, attempt: 1 });
    expect(process.store.calls.filter((call) => call.startsWith("claim"))).toHaveLength(claims);
    await process.start(definition, undefined, { id: "second" });
    expect(world.run("second")).toMatchObject({ owner: null, attempt: 0 });
  });
});

describe("running and waiting", () => {
  test("waiting --message--> ready --> running --return--> completed", async () => {
    const scene = await watch(async (ctx, world) => {
      await ctx.waitForSignal("go");
      await slow(ctx, world);
    });
    await scene.world.pass(1000);
    await scene.world.settle(scene.run.signal("go"));
    await scene.world.settle(scene.run.result());
    await scene.world.pass(100);
    expect(scene.seen).toEqual(["waiting", "running", "completed"]);
  });

  test("waiting --timer--> ready --> running", async () => {
    const scene = await watch(async (ctx, world) => {
      await ctx.sleep("nap", "5s");
      await slow(ctx, world);
    });
    await scene.world.settle(scene.run.result());
    await scene.world.pass(100);
    expect(scene.seen).toEqual(["waiting", "running", "completed"]);
  });

  test("running --release--> ready", async () => {
    const world = new World();
    const own = gate();
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("a", () => 1);
      await own.promise;
    });
    const process = world.process();
    const worker = await process.startWorker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    expect(await world.settle(run.status())).toBe("running");
    await world.settle(worker.stop());
    expect(await world.settle(run.status())).toBe("ready");
    expect(world.run("r")).toMatchObject({ strikes: 0, interrupted: false });
  });

  test("running --reaped--> ready", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) => ctx.step("a", () => new Promise(() => {})));
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    process.kill();
    await world.worker([]);
    await world.passUntil(() => world.run("r").owner === null);
    expect(world.run("r")).toMatchObject({ strikes: 1, interrupted: true, dueAt: world.clock.now() });
  });

  test("running is not left for waiting when the inbox changed", async () => {
    const world = new World({ hints: false });
    const definition = workflow({ name: "w" }, (ctx) => ctx.waitForSignal("go"));
    const process = await world.worker([definition]);
    const commit = process.store.commit.bind(process.store);
    const outcomes: string[] = [];
    process.store.commit = async (batch) => {
      const parks = batch.writes.some((write) => write.kind === "advance" && write.then?.do === "park");
      if (parks) {
        const message = { type: "signal", id: "s", name: "go", payload: "1" } as const;
        await world.store.commit({ writes: [{ kind: "message", runId: "r", message }] });
      }
      const answers = await commit(batch);
      if (parks) outcomes.push(...answers.map(({ is }) => is));
      return answers;
    };
    const run = await process.start(definition, undefined, { id: "r" });
    expect(await world.settle(run.result())).toBe(1);
    expect(outcomes).toEqual(["inbox-changed"]);
    expect(world.clock.monotonic()).toBeLessThan(50);
    expect(world.run("r").attempt).toBe(1);
  });
});

describe("closing", () => {
  test("running --throw--> closing(failed) --> compensating --> failed", async () => {
    const scene = await watch(async (ctx, world) => {
      slowUndo(ctx, world);
      await slow(ctx, world);
      await decline(ctx);
    });
    await rejection(scene.world.settle(scene.run.result()));
    await scene.world.pass(100);
    expect(scene.seen).toEqual(["running", "compensating", "failed"]);
  });

  test("running --timeout--> closing(failed): shown as compensating while its body is awaited", async () => {
    const scene = await watch(
      async (ctx, world) => {
        slowUndo(ctx, world);
        await ctx.step("stubborn", async (step) => {
          await untilAborted(step).catch(() => {});
          await new Promise<void>((resolve) => world.clock.after(1000, resolve));
        });
      },
      { timeout: "3s" },
    );
    await scene.world.pass(3500);
    expect(scene.world.run("r")).toMatchObject({ phase: "closing", owner: 1 });
    const error = await rejection(scene.world.settle(scene.run.result()));
    expect(error.cause).toMatchObject({ code: "RUN_TIMEOUT" });
    await scene.world.pass(100);
    expect(scene.seen).toEqual(["running", "compensating", "failed"]);
  });

  test("the timeout of a run that waits wakes it", async () => {
    const scene = await watch((ctx) => ctx.waitForSignal("never"), { timeout: "1m" });
    const error = await rejection(scene.world.settle(scene.run.result()));
    expect(error.cause).toMatchObject({ code: "RUN_TIMEOUT" });
    expect(scene.world.clock.monotonic()).toBeLessThan(60_100);
  });

  test("the timeout counts from the first claim, not from the start, and goes on while the run is down", async () => {
    const world = new World();
    const definition = workflow({ name: "w", timeout: "60s" }, (ctx) => ctx.waitForSignal("never"));
    const { client } = world.process();
    const run = await world.settle(client.start(definition, undefined, { id: "r", delay: "10m" }));
    const first = await world.worker([definition]);
    await world.passUntil(() => world.run("r").attempt === 1);
    const claimedAt = world.clock.monotonic();
    first.kill();
    await world.pass(30_000);
    await world.worker([definition]);
    await rejection(world.settle(run.result()));
    expect(world.clock.monotonic() - claimedAt).toBeGreaterThanOrEqual(60_000);
    expect(world.clock.monotonic() - claimedAt).toBeLessThan(62_000);
  });

  test("nothing to undo: same commit --> terminal", async () => {
    const scene = await watch((ctx) => decline(ctx));
    await rejection(scene.world.settle(scene.run.result()));
    const commits = scene.process.store.calls.filter((call) => call.startsWith("commit"));
    expect(commits.at(-1)).toContain("[step, end] then end");
    expect(commits).toHaveLength(2);
  });

  test("F112: a crash between the decision to undo and the first undo: it is undone, though the code would go on now", async () => {
    const world = new World();
    let isBroken = true;
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("reserve", (step) => world.effect(step, "reserve"), {
        compensate: (_done, step) => world.effect(step, "undo reserve"),
      });
      if (isBroken) throw new FatalError("out of order");
      await ctx.step("ship", (step) => world.effect(step, "ship"));
    });
    const first = await world.worker([definition]);
    const commit = first.store.commit.bind(first.store);
    first.store.commit = async (batch) => {
      const outcomes = await commit(batch);
      if (!world.journal("r").includes("unwinding failed")) return outcomes;
      first.kill();
      return new Promise(() => {});
    };
    await first.start(definition, undefined, { id: "r" });
    await world.passUntil(() => first.store.dead);
    expect(world.effectNames).toEqual(["reserve"]);
    isBroken = false;
    await world.worker([definition]);
    await world.passUntil(() => world.run("r").end !== null);
    expect(world.run("r").end).toBe("failed");
    expect(world.effectNames).toEqual(["reserve", "undo reserve"]);
  });

  test("F13 F112: a crash while it is being undone: it goes on with the undo that was interrupted", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      for (const name of ["a", "b", "c"])
        ctx.compensate(name, async (step) => {
          world.effect(step, name);
          await new Promise<void>((resolve) => world.clock.after(1000, resolve));
        });
      await ctx.step("forward", (step) => world.effect(step, "forward"));
      await decline(ctx);
    });
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.effectNames.includes("b"));
    process.kill();
    await world.worker([definition]);
    await world.passUntil(() => world.run("r").end !== null);
    expect(world.effectNames).toEqual(["forward", "c", "b", "b", "a"]);
    expect(new Set(world.effects.filter(({ name }) => name === "b").map(({ key }) => key)).size).toBe(1);
    expect(world.run("r").end).toBe("failed");
  });
});

describe("stuck", () => {
  test("stuck --resume--> ready, same phase: compensating goes on compensating", async () => {
    let isMended = false;
    const scene = await watch(async (ctx) => {
      ctx.compensate("undo", () => {
        if (!isMended) throw new FatalError("never");
      });
      await decline(ctx);
    });
    const { world, process } = scene;
    await world.passUntil(() => world.run("r").stuck !== null);
    process.kill();
    isMended = true;
    const { client } = world.process();
    await world.settle(client.runs.resume("r"));
    expect(world.run("r")).toMatchObject({ phase: "compensating", stuck: null });
    expect(await world.settle(client.get("r").status())).toBe("compensating");
    await world.worker([scene.definition]);
    await rejection(world.settle(client.get("r").result()));
    expect(world.run("r").end).toBe("failed");
  });

  test("a stuck run does not move by a signal, by time, or by itself", async () => {
    const scene = await watch(() => {
      throw new TypeError("bug");
    });
    const { world, run } = scene;
    await world.passUntil(() => world.run("r").stuck !== null);
    await world.settle(run.signal("go"));
    await world.pass(120_000);
    expect(world.run("r")).toMatchObject({ attempt: 1, owner: null });
    expect(await world.settle(run.status())).toBe("stuck");
  });
});

test("No other transition leaves a terminal state: whatever comes, an ended run stays as it is", async () => {
  for (const how of ["completed", "failed", "canceled"] as const) {
    const scene = await watch(async (ctx) => {
      if (how === "failed") await decline(ctx);
      if (how === "canceled") await ctx.waitForSignal("never");
    });
    const { world, run, process } = scene;
    if (how === "canceled") await world.settle(run.cancel());
    await world.settle(run.result()).catch(() => {});
    const before = world.run("r");
    expect(before.end).toBe(how);
    const { client } = world.process();
    const late = [
      () => client.get("r").signal("go"),
      () => client.get("r").cancel(),
      () => client.runs.resume("r"),
    ];
    for (const attempt of late) await world.settle(attempt()).catch(() => {});
    process.kill();
    await world.worker([workflow({ name: "w" }, () => "again")]);
    await world.pass(60_000);
    expect(world.run("r")).toEqual(before);
  }
});
