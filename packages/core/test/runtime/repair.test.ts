/** `client.runs`: retry, rewind, fork and resolve, with workers that go on afterwards. */
import { describe, expect, test } from "vitest";
import { type Codec, FatalError, RetryAfterError, workflow } from "../../src/index.ts";
import { gate, type Process, rejection, World } from "../support/world.ts";

/** A shop: charges (undone on failure), packs, ships. `down` says which of them fail. */
async function shop(down: Set<string>, options: { readonly undoes?: boolean } = {}) {
  const world = new World();
  const order = workflow<string, string>({ name: "order" }, async (ctx, what) => {
    const effect = (name: string) =>
      ctx.step(
        name,
        (step) => {
          if (down.has(name)) throw new FatalError(`${name} is down`);
          world.effect(step, name);
          return `${name} of ${what}`;
        },
        name === "charge" && options.undoes === true
          ? { compensate: (_, step) => world.effect(step, "refund") }
          : {},
      );
    const charged = await effect("charge");
    await effect("pack");
    const shipped = await effect("ship");
    return `${charged}, ${shipped}`;
  });
  const process = await world.worker([order]);
  const run = await process.start(order, "books", { id: "r" });
  return { world, process, run, order, runs: process.client.runs };
}

const keysOf = (world: World): readonly string[] => world.effects.map(({ key }) => key);

describe("retry", () => {
  test("a failed run goes on from the step that failed, and says who did it and why", async () => {
    const down = new Set(["ship"]);
    const { world, run, runs } = await shop(down);
    expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_FAILED" });
    down.clear();
    await world.settle(runs.retry("r", { by: "ada", because: "the carrier is back" }));
    expect(await world.settle(run.result())).toBe("charge of books, ship of books");
    expect(keysOf(world)).toEqual(["r/charge", "r/pack", "r/ship~2"]);
    const { journal } = await world.settle(runs.read("r"));
    expect(journal.map(({ kind, key, superseded }) => `${kind} ${key}${superseded ? " -" : ""}`)).toEqual([
      "step charge",
      "step pack",
      "step ship -",
      "end failed -",
      expect.stringMatching(/^reset /),
      "step ship",
      "end completed",
    ]);
    expect(journal[4]?.value).toMatchObject({
      operation: "retry",
      to: 2,
      by: "ada",
      because: "the carrier is back",
    });
  });

  test("what was undone is done again, what was not is kept", async () => {
    const down = new Set(["ship"]);
    const { world, run, runs } = await shop(down, { undoes: true });
    await rejection(world.settle(run.result()));
    await world.settle(runs.retry("r"));
    await rejection(world.settle(run.result()));
    down.clear();
    await world.settle(runs.retry("r"));
    await world.settle(run.result());
    expect(keysOf(world)).toEqual([
      "r/charge",
      "r/pack",
      "r/charge/undo",
      "r/charge~2",
      "r/charge~2/undo",
      "r/charge~3",
      "r/ship~3",
    ]);
  });

  test("from a step that succeeded, that one runs again and the others do not", async () => {
    const down = new Set(["ship"]);
    const { world, run, runs } = await shop(down);
    await rejection(world.settle(run.result()));
    down.clear();
    await world.settle(runs.retry("r", { from: "charge" }));
    await world.settle(run.result());
    expect(keysOf(world)).toEqual(["r/charge", "r/pack", "r/charge~2", "r/ship~2"]);
  });

  test("again and again, until it works", async () => {
    const down = new Set(["pack"]);
    const { world, run, runs } = await shop(down);
    await rejection(world.settle(run.result()));
    await world.settle(runs.retry("r"));
    await rejection(world.settle(run.result()));
    down.clear();
    await world.settle(runs.retry("r"));
    expect(await world.settle(run.result())).toBe("charge of books, ship of books");
    expect(keysOf(world)).toEqual(["r/charge", "r/pack~3", "r/ship"]);
  });

  test("of a canceled run goes on where it was canceled", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("a", (step) => world.effect(step, "a"));
      await ctx.waitForSignal("go");
      return "done";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    await world.settle(run.cancel());
    expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
    await world.settle(process.client.runs.retry("r"));
    await world.settle(run.signal("go"));
    expect(await world.settle(run.result())).toBe("done");
    expect(world.effectNames).toEqual(["a"]);
  });

  test("a child that failed is started anew, under another id", async () => {
    const world = new World();
    let isDown = true;
    const child = workflow<string, string>({ name: "child" }, (_, name) => {
      if (isDown) throw new FatalError("down");
      return `done ${name}`;
    });
    const parent = workflow({ name: "parent" }, async (ctx) => ctx.call(child, "x", { name: "mail" }));
    const process = await world.worker([parent, child]);
    const run = await process.start(parent, undefined, { id: "p" });
    await rejection(world.settle(run.result()));
    isDown = false;
    await world.settle(process.client.runs.retry("p"));
    expect(await world.settle(run.result())).toBe("done x");
    expect(world.run("p/mail").end).toBe("failed");
    expect(world.run("p/mail~2").end).toBe("completed");
  });

  test("is refused where it does not fit, and for a run that is not there", async () => {
    const { world, run, runs } = await shop(new Set());
    await world.settle(run.result());
    expect(await rejection(world.settle(runs.retry("r")))).toMatchObject({ code: "RUN_STATE" });
    expect(await rejection(world.settle(runs.retry("nobody")))).toMatchObject({ code: "RUN_NOT_FOUND" });
  });
});

describe("rewind", () => {
  test("a child that is still awaited is canceled, and called anew with what is its input now", async () => {
    const world = new World();
    let counted = 0;
    const child = workflow<number, string>({ name: "child" }, async (ctx, count) => {
      await ctx.waitForSignal("go");
      return `packed ${count}`;
    });
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const count = await ctx.step("count", () => ++counted);
      return ctx.call(child, count);
    });
    const process = await world.worker([parent, child]);
    const run = await process.start(parent, undefined, { id: "p" });
    await world.passUntil(() => world.run("p").waits.some(({ kind }) => kind === "child"));
    const { client } = process;
    await world.settle(client.runs.pause("p"));
    await world.settle(client.runs.rewind("p", { to: "count", by: "ada" }));
    await world.settle(client.runs.resume("p"));
    expect(await rejection(world.settle(client.get("p/child").result()))).toMatchObject({
      code: "RUN_CANCELED",
      message: expect.stringContaining("run p, which called it, was rewound") as string,
    });
    await world.passUntil(() => world.run("p").waits.some(({ kind }) => kind === "child"));
    await world.settle(client.get("p/child~2").signal("go"));
    expect(await world.settle(run.result())).toBe("packed 2");
  });

  test("a step that the run does not come to any more can't be resolved before it gets there again", async () => {
    const world = new World();
    let isDown = true;
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("a", (step) => world.effect(step, "a"));
      await ctx.step("b", () => {
        if (isDown) throw new RetryAfterError("down", { after: "1h" });
      });
      return "done";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(10_000);
    const { runs } = process.client;
    await world.settle(runs.pause("r"));
    await world.settle(runs.rewind("r", { to: "a" }));
    expect(await rejection(world.settle(runs.skip("r", "b")))).toMatchObject({
      message: "run r has no step b that was begun and has not settled; of those it has none",
    });
    isDown = false;
    await world.settle(runs.resume("r"));
    expect(await world.settle(run.result())).toBe("done");
    expect(keysOf(world)).toEqual(["r/a", "r/a~2"]);
  });

  test("a completed run goes back to a step: that one and all that follows is done again", async () => {
    const { world, run, runs } = await shop(new Set());
    await world.settle(run.result());
    await world.settle(runs.rewind("r", { to: "pack" }));
    await world.settle(run.result());
    expect(keysOf(world)).toEqual(["r/charge", "r/pack", "r/ship", "r/pack~2", "r/ship~2"]);
  });

  test("signals that it had taken are taken again", async () => {
    const world = new World();
    const seen: unknown[] = [];
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("a", () => 1);
      const first = await ctx.waitForSignal("go");
      const second = await ctx.waitForSignal("go");
      seen.push([first, second]);
      await ctx.waitForSignal("stop");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    for (const n of [1, 2, 3]) await world.settle(run.signal("go", n));
    await world.pass(5000);
    await world.settle(process.client.runs.pause("r"));
    await world.passUntil(() => world.run("r").owner === null);
    await world.settle(process.client.runs.rewind("r", { to: "go#2" }));
    expect(await world.settle(run.status())).toBe("waiting");
    await world.settle(process.client.runs.resume("r"));
    await world.settle(run.signal("stop"));
    await world.settle(run.result());
    expect(new Set(seen.map(String))).toEqual(new Set(["1,2"]));
  });

  test("a step that is not there is refused with those that are", async () => {
    const { world, run, runs } = await shop(new Set());
    await world.settle(run.result());
    const refusal = await rejection(world.settle(runs.rewind("r", { to: "chrage" })));
    expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(refusal.message).toContain("charge, pack, ship");
  });
});

describe("fork", () => {
  test("is a new run that has done what came before, and leaves the other one as it is", async () => {
    const { world, run, runs } = await shop(new Set());
    await world.settle(run.result());
    const before = world.run("r");
    const forked = await world.settle(runs.fork("r", { from: "ship", id: "f", by: "ada", because: "lost" }));
    expect(await world.settle(forked.result())).toBe("charge of books, ship of books");
    expect(keysOf(world)).toEqual(["r/charge", "r/pack", "r/ship", "f/ship"]);
    expect(world.run("r")).toEqual(before);
    const { journal, input } = await world.settle(runs.read("f"));
    expect(input).toBe("books");
    expect(journal[2]).toMatchObject({
      kind: "fork",
      value: { from: "r", to: 2, by: "ada", because: "lost" },
    });
  });

  test("has the draws of the other run up to where they part, and its own from there", async () => {
    const world = new World();
    const drawn: string[] = [];
    const definition = workflow({ name: "w" }, async (ctx) => {
      const first = ctx.uuid();
      const name = ctx.random() < 0.5 ? "heads" : "tails";
      await ctx.step(name, () => 1);
      const second = ctx.uuid();
      await ctx.step("last", () => 1);
      await ctx.sleep("nap", "1h");
      drawn.push([first, name, second, ctx.uuid()].join(" "));
    });
    const process = await world.worker([definition]);
    const { runs } = process.client;
    const forks: string[] = [];
    for (let n = 0; n < 8; n++) {
      const run = await process.start(definition, undefined, { id: `r${n}` });
      await world.settle(run.result(), 5_000_000);
      const fork = await world.settle(runs.fork(`r${n}`, { from: "nap", id: `f${n}` }));
      await world.settle(fork.result(), 5_000_000);
      const second = await world.settle(runs.fork(`f${n}`, { from: "nap", id: `g${n}` }));
      await world.settle(second.result(), 5_000_000);
      forks.push(...drawn.splice(0));
    }
    for (let n = 0; n < forks.length; n += 3) {
      const [run = "", fork = "", second = ""] = forks.slice(n, n + 3);
      const shared = (text: string): string => text.slice(0, text.lastIndexOf(" "));
      expect([shared(fork), shared(second)]).toEqual([shared(run), shared(run)]);
    }
    expect(new Set(forks).size).toBe(forks.length);
  });

  test("an id that is taken is refused", async () => {
    const { world, run, runs } = await shop(new Set());
    await world.settle(run.result());
    expect(await rejection(world.settle(runs.fork("r", { from: "ship", id: "r" })))).toMatchObject({
      code: "RUN_CONFLICT",
    });
  });
});

test("an order to cancel that came too late does not end what is done again; a new one does", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", (step) => world.effect(step, "a"));
    if (world.effects.length > 1) await ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const { client, store } = process;
  const commit = store.commit.bind(store);
  store.commit = async (batch) => {
    const ends = batch.writes.some((write) => write.kind === "advance" && write.then?.do === "end");
    if (ends) await world.process().client.get("r").cancel();
    return commit(batch);
  };
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.result());
  store.commit = commit;
  await world.settle(client.runs.rewind("r", { to: "a" }));
  await world.passUntil(() => world.run("r").waits.length > 0);
  await world.pass(10_000);
  expect(await world.settle(run.status())).toBe("waiting");
  await world.settle(run.cancel());
  expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
});

test("a fork has its own time, as a run has that is sent back", async () => {
  const world = new World();
  const definition = workflow({ name: "w", timeout: "1h" }, async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.step("b", () => 1);
    await ctx.sleep("nap", "50m");
    return "slept";
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.result(), 5_000_000);
  const fork = await world.settle(process.client.runs.fork("r", { from: "b" }));
  expect(await world.settle(fork.result(), 5_000_000)).toBe("slept");
});

/** A run that is stuck in doubt about its charge: its worker died while the body ran. */
async function inDoubt() {
  const world = new World();
  const held = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const charged = await ctx
      .step(
        "charge",
        async (step) => {
          world.effect(step, "charge");
          await held.promise;
          return "charged";
        },
        { inDoubt: "stick" },
      )
      .catch((error: unknown) => `caught ${((error as Error).cause as Error).message}`);
    return charged;
  });
  const dying = await world.worker([definition]);
  const { client } = dying;
  await world.settle(client.start(definition, undefined, { id: "r" }));
  await world.passUntil(() => world.effects.length === 1);
  dying.kill();
  held.open();
  const process = await world.worker([definition]);
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck?.code).toBe("IN_DOUBT");
  return { world, process, run: process.client.get("r"), runs: process.client.runs };
}

describe("resolve", () => {
  test("with a result: the step is not run again", async () => {
    const { world, run, runs } = await inDoubt();
    await world.settle(runs.resolve("r", "charge", { result: "found", by: "ada", because: "ticket 7" }));
    expect(await world.settle(run.result())).toBe("found");
    expect(world.effectNames).toEqual(["charge"]);
    const { journal } = await world.settle(runs.read("r"));
    expect(journal.find(({ kind }) => kind === "resolve")?.value).toEqual({
      step: "charge",
      as: "result",
      by: "ada",
      because: "ticket 7",
    });
  });

  test("with an error: the code catches it", async () => {
    const { world, run, runs } = await inDoubt();
    await world.settle(runs.resolve("r", "charge", { error: "declined" }));
    expect(await world.settle(run.result())).toBe("caught declined");
  });

  test("with a rerun: the same idempotency key", async () => {
    const { world, run, runs } = await inDoubt();
    await world.settle(runs.resolve("r", "charge", { rerun: true }));
    expect(await world.settle(run.result())).toBe("charged");
    expect(keysOf(world)).toEqual(["r/charge", "r/charge"]);
  });

  test("skip: the step comes to undefined", async () => {
    const { world, run, runs } = await inDoubt();
    await world.settle(runs.skip("r", "charge"));
    expect(await world.settle(run.result())).toBeUndefined();
    expect(world.effectNames).toEqual(["charge"]);
  });

  test("needs to be told what became of the step", async () => {
    const { world, runs } = await inDoubt();
    for (const options of [{}, { result: 1, rerun: true as const }])
      await expect(runs.resolve("r", "charge", options)).rejects.toThrow("say what became of the step");
    expect(world.run("r").stuck?.code).toBe("IN_DOUBT");
  });

  test("a step that is being retried, of a run that waits", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step("call", () => Promise.reject(new Error("down")), { retry: { initialDelay: "1h", factor: 1 } }),
    );
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").retries.length > 0 && world.run("r").owner === null);
    await world.settle(process.client.runs.resolve("r", "call", { result: "by hand" }));
    expect(await world.settle(run.result(), 10_000)).toBe("by hand");
    expect(world.run("r").retries).toEqual([]);
  });

  test("a run that a worker holds is refused", async () => {
    const world = new World();
    const held = gate();
    const definition = workflow({ name: "w" }, (ctx) => ctx.step("a", () => held.promise));
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.pass(100);
    const refusal = await rejection(world.settle(process.client.runs.skip("r", "a")));
    expect(refusal).toMatchObject({ code: "RUN_STATE" });
    expect(refusal.message).toContain("pause it first");
    held.open();
  });

  test("a compensation that can't succeed is skipped, and the run ends", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("charge", () => 1, {
        compensate: () => {
          throw new FatalError("the bank is gone");
        },
      });
      throw new FatalError("no stock");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck?.code).toBe("UNDO_FAILED");
    await world.settle(process.client.runs.skip("r", "charge", { because: "refunded by hand" }));
    expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_FAILED" });
    expect(world.journal("r")).toContain("undo charge");
    expect(world.run("r").retries).toEqual([]);
  });

  test("a compensation that was refused for good is done again under a new idempotency key, each time", async () => {
    const world = new World();
    const refusals = ["the bank is gone", "the bank is closed"];
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("charge", () => 1, {
        compensate: (_, step) => {
          world.effect(step, "refund");
          const refusal = refusals.shift();
          if (refusal !== undefined) throw new FatalError(refusal);
        },
      });
      throw new FatalError("no stock");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    for (let time = 0; time < 2; time++) {
      await world.passUntil(() => world.run("r").stuck !== null);
      await world.settle(process.client.runs.resolve("r", "charge", { rerun: true }));
    }
    expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_FAILED" });
    expect(keysOf(world)).toEqual(["r/charge/undo", "r/charge/undo~2", "r/charge/undo~3"]);
    const { journal } = await world.settle(process.client.runs.read("r"));
    const resolved = journal.filter(({ kind }) => kind === "resolve");
    expect(resolved.map(({ value }) => value)).toMatchObject([{ newKey: true }, { newKey: true }]);
  });

  test("a compensation of which nobody knows what became of it keeps its idempotency key", async () => {
    const world = new World();
    let isDown = true;
    const definition = workflow({ name: "w" }, async (ctx) => {
      ctx.compensate(
        "refund",
        (step) => {
          world.effect(step, "refund");
          if (isDown) throw new Error("no answer");
        },
        { retry: { maxAttempts: 1 } },
      );
      throw new FatalError("no stock");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    isDown = false;
    await world.settle(process.client.runs.resolve("r", "refund", { rerun: true }));
    expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_FAILED" });
    expect(keysOf(world)).toEqual(["r/refund/undo", "r/refund/undo"]);
  });
});

test("a repair that loses a race against the run is decided again on what the run has become", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.step("b", () => Promise.reject(new Error("down")), {
      retry: { maxAttempts: 1, onExhausted: "stick" },
    });
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  const repairer = world.process();
  raceOnce(repairer, () => process.client.runs.resume("r"), world);
  await world.settle(repairer.client.runs.rewind("r", { to: "a" }));
  const { journal } = await world.settle(process.client.runs.read("r"));
  expect(journal.map(({ kind }) => kind).slice(0, 3)).toEqual(["step", "resume", "reset"]);
  expect(journal[2]?.value).toMatchObject({ operation: "rewind", to: 0 });
});

test("a worker without the key can't go on with a repaired run, and with all others it can", async () => {
  const world = new World();
  const codec: Codec = { encode: (text) => `sealed ${text}`, decode: (text) => text.slice(7) };
  const other = workflow({ name: "other" }, () => "done");
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => 1);
    throw new FatalError("no");
  });
  const keyed = await world.worker([definition], { codec });
  const failed = await keyed.start(definition, undefined, { id: "r" });
  await rejection(world.settle(failed.result()));
  keyed.kill();
  const operator = world.process({ codec }).client.runs;
  await world.settle(operator.fork("r", { from: "a", id: "f", because: "card 4242" }));
  await world.settle(operator.rewind("r", { to: "a", because: "card 4242" }));
  expect(JSON.stringify(world.run("r").journal.at(-1))).toContain("sealed");
  const keyless = await world.worker([definition, other], {
    codec: { ...codec, decode: (text, { runId }) => (runId === "o" ? text.slice(7) : noKey()) },
  });
  await world.passUntil(() => world.run("r").stuck !== null && world.run("f").stuck !== null);
  expect(world.run("r").stuck?.code).toBe("UNDECODABLE");
  expect(await world.settle(keyless.client.start(other, undefined, { id: "o" }))).toMatchObject({ id: "o" });
  await world.passUntil(() => world.run("o").end === "completed");
});

/** Just before the first mend of this process, something else happens to the run, and it is stuck again. */
function raceOnce({ store }: Process, happen: () => Promise<void>, world: World): void {
  const commit = store.commit.bind(store);
  let isFirst = true;
  store.commit = async (batch) => {
    if (isFirst && batch.writes.some(({ kind }) => kind === "mend")) {
      isFirst = false;
      await happen();
      await new Promise<void>((resolve) => world.clock.after(5000, resolve));
    }
    return commit(batch);
  };
}

function noKey(): never {
  throw new Error("no key");
}
