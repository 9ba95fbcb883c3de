/** P1, P7: `ctx.emit` and `ctx.signal`: sent once, in the commit of the entry that says so; what is refused is said. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { EventConflictError, RunEndedError, RunNotFoundError, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

const order = workflow({ name: "order" }, async (ctx, total: number) => {
  await ctx.emit("order:completed", { total });
  await ctx.sleep("nap", "5m");
  return "shipped";
});

describe("an event", () => {
  test("starts one run of each workflow that listens, though the emitter is replayed", async () => {
    const world = new World();
    const mail = workflow(
      { name: "mail", on: "order:completed" },
      (_ctx, { total }: { total: number }) => total,
    );
    const points = workflow({ name: "points", on: "order:completed" }, () => "points");
    const other = workflow({ name: "other", on: "order:failed" }, () => "never");
    const process = await world.worker([order, mail, points, other]);
    await process.execute(order, 12, { id: "r" });
    expect(world.run("r").attempt).toBe(2);
    const ids = world.store.dump().runs.map(({ id }) => id);
    expect(ids).toEqual([
      "order:completed/r%2Femit order:completed/mail",
      "order:completed/r%2Femit order:completed/points",
      "r",
    ]);
    expect(await world.settle(process.client.get(ids[0] ?? "").result())).toBe(12);
  });

  test("reaches a workflow whose workers are down, and not one that came later", async () => {
    const world = new World();
    const mail = workflow({ name: "mail", on: "order:completed" }, () => "sent");
    const worker = await world.worker([mail]);
    worker.kill();
    const process = await world.worker([order]);
    await process.execute(order, 1, { id: "r" });
    const late = workflow({ name: "late", on: "order:completed" }, () => "late");
    await world.worker([mail, late]);
    await world.pass(10_000);
    const runs = world.store.dump().runs.filter(({ id }) => id !== "r");
    expect(runs.map(({ workflow: name, end }) => [name, end])).toEqual([["mail", "completed"]]);
  });

  test("that nobody listens to is kept with no run", async () => {
    const world = new World();
    const process = await world.worker([order]);
    await process.execute(order, 1, { id: "r" });
    expect(await world.settle(world.store.events({ limit: 10 }))).toMatchObject([
      { name: "order:completed", id: "r/emit order:completed", runs: 0 },
    ]);
  });

  test("of the same id is the same event; with another payload it is a conflict", async () => {
    const world = new World();
    const mail = workflow({ name: "mail", on: "paid" }, () => "sent");
    const twice = workflow({ name: "twice" }, async (ctx) => {
      await ctx.emit("paid", { by: "card" }, { id: "evt" });
      await ctx.emit("paid", { by: "card" }, { id: "evt" });
      return rejection(ctx.emit("paid", { by: "cash" }, { id: "evt" }));
    });
    const process = await world.worker([mail, twice]);
    expect(await process.execute(twice, undefined, { id: "r" })).toBeInstanceOf(EventConflictError);
    expect(world.store.dump().runs.map(({ id }) => id)).toEqual(["paid/evt/mail", "r"]);
  });

  test("is validated once, when the run that it starts begins: what the handler gets is journaled", async () => {
    const world = new World();
    let parsed = 0;
    const input = z.object({ total: z.number() }).transform(({ total }) => {
      parsed += 1;
      return { cents: total * 100 };
    });
    const mail = workflow({ name: "mail", on: "order:completed", input }, async (ctx, { cents }) => {
      await ctx.sleep("nap", "5m");
      return cents;
    });
    const process = await world.worker([order, mail]);
    await process.execute(order, 3, { id: "r" });
    const id = "order:completed/r%2Femit order:completed/mail";
    expect(await world.settle(process.client.get(id).result())).toBe(300);
    expect([parsed, world.run(id).attempt]).toEqual([1, 2]);
    expect(world.journal(id)).toEqual(["input", "timer nap", "end completed"]);
  });

  test("whose payload does not fit fails the run with a ValidationError, and hurts nobody else", async () => {
    const world = new World();
    const input = z.object({ total: z.string() });
    const mail = workflow({ name: "mail", on: "order:completed", input }, () => "never");
    const process = await world.worker([order, mail]);
    await process.execute(order, 3, { id: "r" });
    const run = process.client.get("order:completed/r%2Femit order:completed/mail");
    expect(await world.settle(rejection(run.result()))).toMatchObject({
      code: "RUN_FAILED",
      cause: { name: "ValidationError", message: expect.stringContaining("total") as string },
    });
  });
});

describe("a signal from run to run", () => {
  const listening = workflow({ name: "listening" }, async (ctx) => [
    await ctx.waitForSignal("go"),
    await ctx.waitForSignal("go", { timeout: "10m" }).catch(() => "nothing more"),
  ]);

  test("arrives once, though its sender is replayed", async () => {
    const world = new World();
    const sender = workflow({ name: "sender" }, async (ctx) => {
      await ctx.signal("l", "go", { n: 1 });
      await ctx.sleep("nap", "5m");
    });
    const process = await world.worker([listening, sender]);
    const run = await process.start(listening, undefined, { id: "l" });
    await process.execute(sender, undefined, { id: "s" });
    expect(world.run("s").attempt).toBe(2);
    expect(await world.settle(run.result())).toEqual([{ n: 1 }, "nothing more"]);
  });

  test("to itself is one like any other, also beside a wait of that name", async () => {
    const world = new World();
    const itself = workflow({ name: "itself" }, async (ctx) => {
      await ctx.signal(ctx.run.id, "go", "mine");
      return ctx.waitForSignal("go");
    });
    const process = await world.worker([itself]);
    expect(await process.execute(itself, undefined)).toBe("mine");
  });

  test("to a run that has ended, or is not there, is refused, also when it is replayed", async () => {
    const world = new World();
    const sender = workflow({ name: "sender" }, async (ctx) => {
      const errors = [await rejection(ctx.signal("gone", "go")), await rejection(ctx.signal("done", "go"))];
      await ctx.sleep("nap", "5m");
      return errors.map((error) => [error instanceof RunNotFoundError, error instanceof RunEndedError]);
    });
    const process = await world.worker([workflow({ name: "w" }, () => 1), sender]);
    await process.execute(
      workflow({ name: "w" }, () => 1),
      undefined,
      { id: "done" },
    );
    expect(await process.execute(sender, undefined, { id: "s" })).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(world.run("s").attempt).toBe(2);
  });

  test("that can't be stored rejects at once, and sends nothing", async () => {
    const world = new World();
    const sender = workflow({ name: "sender" }, async (ctx) => {
      const error = await rejection(ctx.signal("l", "go", () => {}));
      await ctx.sleep("nap", "5m");
      return error;
    });
    const process = await world.worker([listening, sender]);
    await process.start(listening, undefined, { id: "l" });
    expect(await process.execute(sender, undefined)).toMatchObject({ name: "SerializationError" });
    expect(world.run("l").inbox).toBe(0);
  });
});

test("what can't be stored is refused with the run, and with what it was to be", async () => {
  const world = new World();
  const odd = (): void => {};
  const definition = workflow({ name: "w" }, async (ctx) => {
    const sent = [
      ctx.call("child", odd),
      ctx.start("child", odd, { name: "later" }),
      ctx.emit("done", odd),
      ctx.signal("other", "go", odd),
    ];
    return (await Promise.allSettled(sent)).map((one) => one.status === "rejected" && String(one.reason));
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toEqual([
    expect.stringContaining("run r: the input of child can't be stored: Cannot stringify a function"),
    expect.stringContaining("run r: the input of child can't be stored"),
    expect.stringContaining("run r: the payload of event done can't be stored"),
    expect.stringContaining("run r: the signal go to run other can't be stored"),
  ]);
});

test("what is sent out is sent before the run ends, awaited or not", async () => {
  const world = new World();
  const mail = workflow({ name: "mail", on: "paid" }, () => "sent");
  const definition = workflow({ name: "w" }, (ctx) => {
    ctx.emit("paid", 1).catch(() => {});
    ctx.start(mail, undefined).catch(() => {});
    return "done";
  });
  const process = await world.worker([mail, definition]);
  await process.execute(definition, undefined, { id: "r" });
  expect(world.journal("r")).toEqual(["emit emit paid", "start mail", "end completed"]);
});

test("nothing is sent by a run that closed before", async () => {
  const world = new World();
  const mail = workflow({ name: "mail", on: "paid" }, () => "sent");
  const definition = workflow({ name: "w" }, (ctx) => {
    ctx.emit("paid", 1).catch(() => {});
    throw new Error("no");
  });
  const process = await world.worker([mail, definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(rejection(run.result()));
  expect(world.journal("r")).toEqual(["end failed"]);
  expect(world.store.dump().runs).toHaveLength(1);
});
