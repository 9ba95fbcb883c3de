/** P4: a step that is SQL in the store's own transaction commits exactly once with its journal entry. */
import { expect, test } from "vitest";
import { FatalError, StoreUnavailableError, transactStep, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

test("its result is journaled and returned, and it is not run again", async () => {
  const world = new World();
  let bodies = 0;
  const definition = workflow({ name: "w" }, async (ctx) => {
    const value = await transactStep(ctx, "book", () => {
      bodies += 1;
      return { booked: 1n };
    });
    await ctx.sleep("nap", "10s");
    return value;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toEqual({ booked: 1n });
  expect(bodies).toBe(1);
  expect(world.journal("r")).toEqual(["step book", "timer nap", "end completed"]);
});

test("what it throws is a failed attempt; FatalError fails the step for good", async () => {
  const world = new World();
  const attempts: string[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    await transactStep(
      ctx,
      "flaky",
      () => {
        attempts.push("flaky");
        if (attempts.length < 3) throw new Error("deadlock");
      },
      { retry: { initialDelay: 10 } },
    );
    return rejection(
      transactStep(ctx, "fatal", (): never => {
        attempts.push("fatal");
        throw new FatalError("no such seat");
      }),
    );
  });
  const process = await world.worker([definition]);
  const error = await process.execute(definition, undefined);
  expect(error).toMatchObject({ code: "STEP_FAILED", cause: { message: "no such seat" } });
  expect(attempts).toEqual(["flaky", "flaky", "flaky", "fatal"]);
});

test.each(["before", "after"] as const)(
  "a crash %s its commit: it has happened once in the end",
  async (when) => {
    let bodies = 0;
    const definition = workflow({ name: "w" }, async (ctx) => {
      await transactStep(ctx, "book", () => {
        bodies += 1;
      });
      return "done";
    });
    const fine = new World();
    await fine.process().start(definition, undefined, { id: "r" });
    const process = await fine.worker([definition]);
    const at = process.store.calls.findIndex((call) => call.startsWith("transact")) + 1;
    expect(at).toBeGreaterThan(0);

    bodies = 0;
    const world = new World();
    await world.process().start(definition, undefined, { id: "r" });
    await world.process({ plan: { at, when } }).startWorker([definition]);
    const second = await world.worker([definition]);
    expect(await world.settle(second.client.get("r").result())).toBe("done");
    expect(world.journal("r")).toEqual(["step book", "end completed"]);
    expect(world.run("r").attempt).toBe(2);
    expect(bodies).toBe(1);
  },
);

test.each([true, false])("an unknown reply (applied: %s) is found out, not guessed", async (applied) => {
  const world = new World();
  let bodies = 0;
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("before", () => 1);
    await transactStep(ctx, "book", () => {
      bodies += 1;
    });
    return "done";
  });
  const process = await world.worker([definition]);
  const transact = process.store.transact.bind(process.store);
  let lost = 1;
  process.store.transact = async (request) => {
    if (lost-- <= 0) return transact(request);
    if (applied) await transact(request);
    throw new StoreUnavailableError("the answer is lost");
  };
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("done");
  expect(bodies).toBe(1);
  expect(world.journal("r")).toEqual(["step before", "step book", "end completed"]);
});

test("what else happens while it is under way is recorded after it", async () => {
  const world = new World();
  const sql = gate();
  const definition = workflow({ name: "w" }, (ctx) =>
    Promise.all([
      ctx.step("beside", () => new Promise<string>((resolve) => world.clock.after(500, () => resolve("b")))),
      transactStep(ctx, "book", async () => {
        await sql.promise;
        return "a";
      }),
      transactStep(ctx, "book too", () => "c"),
      ctx.sleep("nap", 700),
    ]),
  );
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1500);
  expect(world.journal("r")).toEqual([]);
  sql.open();
  expect(await world.settle(run.result())).toEqual(["b", "a", "c", undefined]);
  expect(world.journal("r")[0]).toBe("step book");
  expect(world.journal("r")).toHaveLength(5);
});

test.each([
  ["fulfilled", () => 1],
  [
    "rejected",
    (): never => {
      throw new FatalError("no");
    },
  ],
])("a step beside it that is %s at once is recorded before it, and neither runs again", async (how, body) => {
  const world = new World();
  const ran: string[] = [];
  const side = workflow({ name: "side" }, async (ctx) => {
    const [first, second] = await Promise.allSettled([
      ctx.step("first", () => {
        ran.push("first");
        return body();
      }),
      transactStep<void>(ctx, "second", () => void ran.push("second")),
    ]);
    return [first.status, second.status];
  });
  const process = await world.worker([side]);
  const [first] = await process.execute(side, undefined, { id: "r" });
  expect(world.journal("r").map((entry) => entry.split(" ")[1])).toEqual(["first", "second", "completed"]);
  expect(first).toBe(how);
  expect(ran).toEqual(["first", "second"]);
});

test("a cancel during it waits for its outcome", async () => {
  const world = new World();
  const sql = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await transactStep(ctx, "book", () => sql.promise);
    await ctx.step("never", (step) => world.effect(step, "never"));
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(500);
  await world.settle(run.cancel());
  await world.pass(5000);
  expect(world.run("r")).toMatchObject({ end: null, owner: 1 });
  sql.open();
  expect(await rejection(world.settle(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
  expect(world.journal("r")).toEqual(["step book", "cancel", "end canceled"]);
  expect(world.effects).toEqual([]);
});

test("a result that can't be stored fails the step, and its SQL is rolled back", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => rejection(transactStep(ctx, "book", () => () => 1)));
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toMatchObject({
    code: "STEP_FAILED",
    cause: { code: "SERIALIZATION" },
  });
});
