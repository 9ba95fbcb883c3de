/** What the body of a step may be, and when it begins. */
import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { codeOf, type Gate, gate, World } from "../support/world.ts";

/** A thenable that is no promise, as query builders are. */
function thenable(then: (resolve: (value: string) => void, reject: (error: Error) => void) => void) {
  return { then } as unknown as Promise<string>;
}

test("a body may be synchronous, asynchronous, or answer with a query builder", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => [
    await ctx.step("sync", () => 1),
    await ctx.step("async", async () => 2),
    await ctx.step("thenable", () => thenable((resolve) => resolve("rows"))),
  ]);
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toEqual([1, 2, "rows"]);
});

test("a thenable that settles twice settles its step once", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const value = await ctx.step("twice", () =>
      thenable((resolve, reject) => {
        resolve("first");
        resolve("second");
        reject(new Error("third"));
      }),
    );
    await ctx.sleep("nap", "10s");
    return value;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("first");
  expect(world.journal("r")).toEqual(["step twice", "timer nap", "end completed"]);
});

test("a thenable that throws is a failed attempt", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("flaky", (step) =>
      thenable((resolve) => {
        if (step.attempt < 3) throw new Error("broken thenable");
        resolve("third time lucky");
      }),
    ),
  );
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("third time lucky");
});

test("no body begins before what was delivered to its code is durable", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.step("b", (step) => world.effect(step, "b"));
  });
  const process = await world.worker([definition]);
  const commit = process.store.commit.bind(process.store);
  const held = gate();
  process.store.commit = async (batch) => {
    if (batch.writes.some((write) => write.kind === "advance")) await held.promise;
    return commit(batch);
  };
  const run = await process.start(definition, undefined);
  await world.pass(100);
  expect(world.effectNames).toEqual([]);
  held.open();
  await world.settle(run.result());
  expect(world.effectNames).toEqual(["b"]);
});

test("a five-step run takes six commits", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (const name of ["a", "b", "c", "d", "e"]) await ctx.step(name, () => name, { compensate: () => {} });
  });
  const process = await world.worker([definition]);
  await process.execute(definition, undefined, { id: "r" });
  const commits = process.store.calls.filter((call) => call.startsWith("commit"));
  // One more than six: the `started` entry of the first step cannot ride in the start of the run.
  expect(commits).toHaveLength(7);
});

test("F7 F92: a step that settled is never run again: crash after its entry, at every step", async () => {
  const world = new World();
  const names = ["a", "b", "c", "d"];
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (const name of names) {
      await ctx.step(name, (step) => world.effect(step, name));
      await ctx.sleep(`after ${name}`, "3s");
    }
  });
  let process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  for (const name of names) {
    await world.passUntil(() => world.journal("r").includes(`step ${name}`));
    process.kill();
    process = await world.worker([definition]);
  }
  await world.passUntil(() => world.run("r").end !== null);
  expect(world.effectNames).toEqual(names);
});

test("F3: death between the `started` entry and the body: the step runs after the takeover", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      (step) => {
        world.effect(step, "charge");
        return step.attempt;
      },
      { compensate: () => {} },
    ),
  );
  const first = await world.worker([definition]);
  const commit = first.store.commit.bind(first.store);
  first.store.commit = async (batch) => {
    const outcomes = await commit(batch);
    const starts = batch.writes.some(
      (write) => write.kind === "advance" && write.entries.some(({ kind }) => kind === "started"),
    );
    if (!starts) return outcomes;
    first.kill();
    return new Promise(() => {});
  };
  await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => first.store.dead);
  expect(world.journal("r")).toEqual(["started charge"]);
  expect(world.effects).toEqual([]);
  const second = await world.worker([definition]);
  expect(await world.settle(second.client.get("r").result())).toBe(1);
  expect(world.effects).toMatchObject([{ name: "charge", key: "r/charge" }]);
});

test("F8: death between the last step and the end: the run completes, and no body runs again", async () => {
  const world = new World();
  const own = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const last = await ctx.step("last", (step) => {
      world.effect(step, "last");
      return "shipped";
    });
    await own.promise;
    return last;
  });
  const first = await world.worker([definition]);
  await first.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  expect(world.journal("r")).toEqual(["step last"]);
  first.kill();
  own.open();
  const second = await world.worker([definition]);
  expect(await world.settle(second.client.get("r").result())).toBe("shipped");
  expect(world.effectNames).toEqual(["last"]);
});

test("a body that was given up after its timeout lives: its run is not let go before it is over", async () => {
  const world = new World();
  const first = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("stubborn", (step) => (step.attempt === 1 ? first.promise : undefined), {
      timeout: "1s",
      retry: { initialDelay: 10 },
    });
    await ctx.sleep("long", "30d");
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(30_000);
  expect(world.journal("r")).toEqual(["step stubborn"]);
  expect(world.run("r").owner).toBe(1);
  first.open();
  await world.pass(100);
  expect(world.run("r")).toMatchObject({ owner: null, waits: [{ key: "long" }] });
});

test("a step whose every attempt is given up keeps count of all its bodies", async () => {
  const world = new World();
  const lingering: Gate[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx
      .step(
        "stubborn",
        () => {
          const body = gate();
          lingering.push(body);
          return body.promise;
        },
        { timeout: "1s", retry: { maxAttempts: 3, initialDelay: 10 } },
      )
      .catch(codeOf)
      .then((code) => ctx.sleep("long", "30d").then(() => code)),
  );
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(30_000);
  expect(lingering).toHaveLength(3);
  for (const body of lingering) {
    expect(world.run("r").owner).toBe(1);
    body.open();
    await world.pass(100);
  }
  expect(world.run("r").owner).toBeNull();
});
