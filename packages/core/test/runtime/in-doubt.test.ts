/** `inDoubt`: a step whose outcome nobody knows. P3: with it, such a step is never silently run again. */
import { describe, expect, test } from "vitest";
import { FatalError, type StepOptions, workflow } from "../../src/index.ts";
import { type Process, rejection, untilAborted, World } from "../support/world.ts";

type InDoubt = NonNullable<StepOptions<string>["inDoubt"]>;

interface Scene {
  readonly world: World;
  readonly definition: ReturnType<typeof chargeOf>;
  /** The process whose death leaves the step in doubt. */
  readonly first: Process;
}

/** A charge whose first attempt never comes back. */
function chargeOf(world: World, inDoubt: InDoubt | undefined, options: StepOptions<string> = {}) {
  return workflow({ name: "w" }, async (ctx) => {
    const receipt = await ctx.step(
      "charge",
      (step) => {
        world.effect(step, "charge");
        return world.effects.length === 1 ? new Promise<string>(() => {}) : "charged";
      },
      { ...options, ...(inDoubt === undefined ? {} : { inDoubt }) },
    );
    return ctx.step("mail", () => receipt);
  });
}

/** The process dies while the charge executes. */
async function interrupted(inDoubt?: InDoubt, options?: StepOptions<string>): Promise<Scene> {
  const world = new World();
  const definition = chargeOf(world, inDoubt, options);
  const first = await world.worker([definition]);
  await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  first.kill();
  return { world, definition, first };
}

async function recovered({ world, definition }: Scene): Promise<Process> {
  const second = await world.worker([definition]);
  await world.passUntil(() => world.run("r").end !== null || world.run("r").stuck !== null);
  return second;
}

test('F4 F5: by default, and with "rerun", the body runs again with the same idempotency key', async () => {
  for (const inDoubt of [undefined, "rerun"] as const) {
    const scene = await interrupted(inDoubt);
    await recovered(scene);
    expect(scene.world.run("r")).toMatchObject({ end: "completed", result: '"charged"' });
    expect(scene.world.effects.map(({ key, attempt }) => [key, attempt])).toEqual([
      ["r/charge", 1],
      ["r/charge", 1],
    ]);
  }
});

test('F5: with "stick" the run is stuck for a person, and the body does not run again', async () => {
  const scene = await interrupted("stick");
  await recovered(scene);
  expect(scene.world.run("r").stuck).toMatchObject({ code: "IN_DOUBT", key: "charge" });
  expect(scene.world.effectNames).toEqual(["charge"]);
});

describe("F5: with a function that looks the effect up", () => {
  test("{ result } settles the step, and its body does not run again", async () => {
    const scene = await interrupted(async () => ({ result: "found" }));
    await recovered(scene);
    expect(scene.world.run("r")).toMatchObject({ end: "completed", result: '"found"' });
    expect(scene.world.effectNames).toEqual(["charge"]);
    expect(scene.world.journal("r")).toEqual(["started charge", "step charge", "step mail", "end completed"]);
  });

  test("{ result } is validated like the result of the body", async () => {
    const { z } = await import("zod");
    const scene = await interrupted(async () => ({ result: "short" }), { output: z.string().min(10) });
    await recovered(scene);
    const report = await scene.world.settle(scene.first.world.process().client.runs.read("r"));
    expect(report).toMatchObject({ status: "failed", error: { cause: { code: "VALIDATION" } } });
  });

  test("{ error } fails the step for good", async () => {
    const scene = await interrupted(async () => ({
      error: new FatalError("declined", { code: "declined" }),
    }));
    const second = await recovered(scene);
    const error = await rejection(scene.world.settle(second.client.get("r").result()));
    expect(error.cause).toMatchObject({ code: "STEP_FAILED", cause: { code: "declined" } });
    expect(scene.world.effectNames).toEqual(["charge"]);
  });

  test('"rerun" runs the body again', async () => {
    const scene = await interrupted(async () => "rerun");
    await recovered(scene);
    expect(scene.world.run("r")).toMatchObject({ end: "completed", result: '"charged"' });
    expect(scene.world.effectNames).toEqual(["charge", "charge"]);
  });

  test('"stick" leaves the run stuck; after a resume it is asked again', async () => {
    let answer: "stick" | { readonly result: string } = "stick";
    const scene = await interrupted(async () => answer);
    const second = await recovered(scene);
    expect(scene.world.run("r").stuck).toMatchObject({ code: "IN_DOUBT" });
    answer = { result: "found" };
    await scene.world.settle(second.client.runs.resume("r"));
    expect(await scene.world.settle(second.client.get("r").result())).toBe("found");
    expect(scene.world.effectNames).toEqual(["charge"]);
  });

  test("it gets the idempotency key of the step, and a signal", async () => {
    const asked: unknown[] = [];
    const scene = await interrupted(async ({ idempotencyKey, attempt, signal }) => {
      asked.push([idempotencyKey, attempt, signal.aborted]);
      return { result: "found" };
    });
    await recovered(scene);
    expect(asked).toEqual([["r/charge", 1, false]]);
  });

  test("a look-up that throws is tried again without end, and uses up no attempt of the body", async () => {
    let lookUps = 0;
    const scene = await interrupted(
      async () => {
        lookUps += 1;
        if (lookUps < 8) throw new Error("the bank is down");
        return "rerun";
      },
      { retry: { maxAttempts: 2, initialDelay: 10 } },
    );
    await recovered(scene);
    expect(lookUps).toBe(8);
    expect(scene.world.run("r")).toMatchObject({ end: "completed", result: '"charged"' });
    expect(scene.world.effects.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  test("an answer that makes no sense is a failed look-up", async () => {
    const answers: unknown[] = [undefined, null, "maybe", 7, { result: "found" }];
    const scene = await interrupted(async () => answers.shift() as "rerun");
    await recovered(scene);
    expect(answers).toEqual([]);
    expect(scene.world.run("r")).toMatchObject({ end: "completed", result: '"found"' });
  });

  test("a look-up that is interrupted itself is asked again", async () => {
    let lookUps = 0;
    const scene = await interrupted(async () => {
      lookUps += 1;
      return lookUps === 1 ? new Promise(() => {}) : { result: "found" };
    });
    const second = await scene.world.worker([scene.definition]);
    await scene.world.passUntil(() => lookUps === 1);
    second.kill();
    await recovered(scene);
    expect(lookUps).toBe(2);
    expect(scene.world.effectNames).toEqual(["charge"]);
  });
});

test("a crash while the body runs again leaves the step in doubt again", async () => {
  const world = new World();
  let lookUps = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      (step) => {
        world.effect(step, "charge");
        return world.effects.length < 3 ? new Promise<string>(() => {}) : "charged";
      },
      {
        inDoubt: async () => {
          lookUps += 1;
          return "rerun";
        },
      },
    ),
  );
  for (const bodies of [1, 2]) {
    const process = await world.worker([definition]);
    if (bodies === 1) await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.effects.length === bodies);
    process.kill();
  }
  await world.worker([definition]);
  await world.passUntil(() => world.run("r").end !== null);
  expect(lookUps).toBe(2);
  expect(world.effects).toHaveLength(3);
});

test("a step that timed out is in doubt before its next attempt", async () => {
  const world = new World();
  let lookUps = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("charge", () => new Promise<string>(() => {}), {
      timeout: "1s",
      inDoubt: async () => {
        lookUps += 1;
        return { result: "found" };
      },
    }),
  );
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("found");
  expect(lookUps).toBe(1);
});

test("a failure that the body itself reports is no doubt: the body is simply tried again", async () => {
  const world = new World();
  let lookUps = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      (step) => {
        if (step.attempt < 3) throw new Error("busy");
        return "charged";
      },
      {
        retry: { initialDelay: 10 },
        inDoubt: async () => {
          lookUps += 1;
          return "stick";
        },
      },
    ),
  );
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("charged");
  expect(lookUps).toBe(0);
});

test("a body aborted by a stopping worker is in doubt for the next one", async () => {
  const world = new World();
  let lookUps = 0;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      (step) =>
        new Promise<string>((_, reject) => {
          world.effect(step, "charge");
          step.signal.addEventListener("abort", () => reject(step.signal.reason as Error));
        }),
      {
        inDoubt: async () => {
          lookUps += 1;
          return { result: "found" };
        },
      },
    ),
  );
  const first = world.process();
  const worker = await first.startWorker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  expect(await world.settle(worker.stop({ grace: 0 }))).toEqual([]);
  await world.worker([definition]);
  expect(await world.settle(world.process().client.get(run.id).result())).toBe("found");
  expect(lookUps).toBe(1);
  expect(world.effectNames).toEqual(["charge"]);
});

test('a run stuck in doubt by "stick" is never run again silently, and can be canceled', async () => {
  const scene = await interrupted("stick");
  const second = await recovered(scene);
  const run = second.client.get("r");
  await scene.world.settle(run.cancel());
  expect(await rejection(scene.world.settle(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
  expect(scene.world.effectNames).toEqual(["charge"]);
});

test('a person who resumes a run stuck by "stick" has decided: the step runs again with the same key', async () => {
  const scene = await interrupted("stick");
  const second = await recovered(scene);
  await scene.world.settle(second.client.runs.resume("r"));
  expect(await scene.world.settle(second.client.get("r").result())).toBe("charged");
  expect(scene.world.effects.map(({ key }) => key)).toEqual(["r/charge", "r/charge"]);
});

test("P3: a person who resumes a run for another reason has not decided about a step in doubt", async () => {
  const scene = await interrupted("stick");
  const { world } = scene;
  let isBroken = true;
  const deploy = workflow({ name: "w" }, (ctx) => {
    if (isBroken) throw new TypeError("a bug in the first deploy");
    return scene.definition.handler(ctx, undefined as never);
  });
  const second = await world.worker([deploy]);
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "BUG" });
  isBroken = false;
  await world.settle(second.client.runs.resume("r"));
  await world.passUntil(() => world.run("r").end !== null || world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "IN_DOUBT" });
  expect(world.effectNames).toEqual(["charge"]);
});

describe("a person decides about one attempt only", () => {
  /** A charge that nobody knows about, with "stick", resumed; its second attempt is under way. */
  async function resumed(options: StepOptions<string> = {}) {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step(
        "charge",
        (step) => {
          world.effect(step, "charge");
          return world.effects.length < 3 ? untilAborted(step) : "charged";
        },
        { ...options, inDoubt: "stick" },
      ),
    );
    const first = await world.worker([definition]);
    await first.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.effects.length === 1);
    first.kill();
    const process = world.process();
    const worker = await process.startWorker([definition]);
    await world.passUntil(() => world.run("r").stuck !== null);
    await world.settle(process.client.runs.resume("r"));
    await world.passUntil(() => world.effects.length === 2);
    return { world, definition, process, worker };
  }

  async function expectAskedAgain(world: World, process: Process): Promise<void> {
    await world.passUntil(() => world.run("r").stuck !== null || world.run("r").end !== null);
    expect(world.run("r").stuck?.code).toBe("IN_DOUBT");
    expect(world.effects).toHaveLength(2);
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(process.client.get("r").result())).toBe("charged");
  }

  test("a stop that interrupts it asks again", async () => {
    const { world, definition, worker } = await resumed();
    await world.settle(worker.stop({ grace: 0 }));
    await expectAskedAgain(world, await world.worker([definition]));
  });

  test("a timeout asks again", async () => {
    const { world, process } = await resumed({ timeout: "30s" });
    await expectAskedAgain(world, process);
  });

  test("a crash asks again, also of a run that was turned away meanwhile", async () => {
    const { world, definition, process } = await resumed();
    process.kill();
    for (let death = 0; death < 3; death++) {
      const next = await world.worker([definition]);
      await world.pass(2000);
      next.kill();
    }
    await expectAskedAgain(world, await world.worker([definition]));
  });
});
