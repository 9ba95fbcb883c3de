/** Starting runs, and waiting for their results. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Client, Worker, type Context, StoreError, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

const double = workflow<number, number>({ name: "double" }, (ctx, n) => ctx.step("double", () => n * 2));

describe("start", () => {
  test.each(["before", "after"] as const)(
    "F1 F2: a client that dies %s its start is committed leaves no run or one, and the same start again is that run",
    async (when) => {
      const world = new World();
      const definition = workflow({ name: "w" }, (ctx) =>
        ctx.step("only", (step) => world.effect(step, "only")),
      );
      await world.worker([definition]);
      const dying = world.process({ plan: { at: 1, when } });
      dying.client.start(definition, undefined, { id: "r" }).catch(() => {});
      await world.pass(10_000);
      expect(dying.store.dead).toBe(true);
      expect(world.store.dump().runs.map(({ id }) => id)).toEqual(when === "before" ? [] : ["r"]);
      expect(world.effectNames).toEqual(when === "before" ? [] : ["only"]);
      await world.process().execute(definition, undefined, { id: "r" });
      expect(world.store.dump().runs.map(({ id }) => id)).toEqual(["r"]);
      expect(world.effectNames).toEqual(["only"]);
    },
  );

  test("F1: the same id with an equal input is the same run, also after it ended", async () => {
    const world = new World();
    const input = workflow<{ a: number; b: number }, number>({ name: "w" }, (ctx, { a, b }) =>
      ctx.step("add", (step) => {
        world.effect(step, "add");
        return a + b;
      }),
    );
    const process = await world.worker([input]);
    const first = await process.start(input, { a: 1, b: 2 }, { id: "order-1" });
    const again = await world.process().start(input, { b: 2, a: 1 }, { id: "order-1" });
    expect(again.id).toBe(first.id);
    expect(await world.settle(again.result())).toBe(3);
    const late = await process.start(input, { a: 1, b: 2 }, { id: "order-1" });
    expect(await world.settle(late.result())).toBe(3);
    expect(world.effectNames).toEqual(["add"]);
    expect(world.store.dump().runs).toHaveLength(1);
  });

  test("equal inputs are recognized whatever the order of their keys, also with odd values", async () => {
    const world = new World();
    const { client } = world.process();
    const any = workflow({ name: "w" }, (_ctx: Context, input: object) => input);
    const at = new Date(0);
    await world.settle(client.start(any, { at, n: 1n, nested: { x: 1, y: at } }, { id: "r" }));
    await world.settle(client.start(any, { nested: { y: at, x: 1 }, n: 1n, at }, { id: "r" }));
    expect(await rejection(world.settle(client.start(any, { at, n: 2n }, { id: "r" })))).toMatchObject({
      code: "RUN_CONFLICT",
    });
  });

  test("the same id with another input or workflow is a conflict, and changes nothing", async () => {
    const world = new World();
    const other = workflow<number, number>({ name: "other" }, (_ctx, n) => n);
    const { client } = world.process();
    await world.settle(client.start(double, 1, { id: "r" }));
    for (const start of [
      () => client.start(double, 2, { id: "r" }),
      () => client.start(other, 1, { id: "r" }),
    ]) {
      const error = await rejection(world.settle(start()));
      expect(error).toMatchObject({ name: "RunConflictError", code: "RUN_CONFLICT" });
      expect(error.message).toContain("double");
    }
    expect(world.run("r")).toMatchObject({ workflow: "double", input: "1" });
  });

  test("without an id the ids are distinct, and ordered by time", async () => {
    const world = new World();
    const { client } = world.process();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push((await world.settle(client.start(double, n))).id);
      await world.pass(2);
    }
    expect(new Set(ids).size).toBe(5);
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test.each([
    ["delay", { delay: "60s" }],
    ["at", { at: new Date(Date.UTC(2026, 0, 1) + 60_000) }],
  ])("%s: it is not executed before", async (_, options) => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) => ctx.now().getTime());
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, options);
    expect(await world.settle(run.status())).toBe("waiting");
    const beganAt = (await world.settle(run.result())) - Date.UTC(2026, 0, 1);
    expect(beganAt).toBeGreaterThanOrEqual(60_000);
    expect(beganAt).toBeLessThan(60_200);
  });

  test("a higher priority is claimed first; the workflow's is the default", async () => {
    const world = new World();
    const order: string[] = [];
    const note = (name: string, priority?: number) =>
      workflow<string, void>({ name, ...(priority === undefined ? {} : { priority }) }, (_ctx, id) => {
        order.push(id);
      });
    const [low, high] = [note("low"), note("high", 5)];
    const { client } = world.process();
    for (const [definition, id, priority] of [
      [low, "none", undefined],
      [low, "nine", 9],
      [high, "five", undefined],
      [high, "minus", -1],
    ] as const)
      await world.settle(
        client.start(definition, id, { id, ...(priority === undefined ? {} : { priority }) }),
      );
    await world.worker([low, high], { concurrency: 1 });
    await world.passUntil(() => world.store.dump().runs.every(({ end }) => end !== null));
    expect(order).toEqual(["nine", "five", "none", "minus"]);
  });

  test("the input is validated once, and the handler gets the schema's output", async () => {
    const world = new World();
    let validations = 0;
    const schema = z.object({ n: z.coerce.number() }).transform(({ n }) => {
      validations += 1;
      return { n };
    });
    const definition = workflow({ name: "w", input: schema }, async (ctx, { n }) => {
      await ctx.sleep("nap", "10s");
      return n;
    });
    const process = await world.worker([definition]);
    expect(await process.execute(definition, { n: "21" })).toBe(21);
    expect(validations).toBe(1);
  });

  test("a start and a call take what the schema takes, and the handler gets what it makes of it", async () => {
    const input = z.object({ day: z.string().transform((day) => new Date(day)), copies: z.int().default(1) });
    const print = workflow({ name: "print", input }, (_ctx, { day, copies }) => `${day.getTime()} ${copies}`);
    const order = workflow({ name: "order" }, (ctx, day: string) => ctx.call(print, { day }));
    const process = await new World().worker([print, order]);
    const result: string = await process.execute(print, { day: "1970-01-01" });
    expect(result).toBe("0 1");
    expect(await process.execute(order, "1970-01-02")).toBe("86400000 1");
    // @ts-expect-error -- what the handler gets is not what a start takes
    const refused = process.client.start(print, { day: new Date(0), copies: 1 });
    expect(await rejection(refused)).toMatchObject({ code: "VALIDATION" });
  });

  test("an invalid input is refused, and no run exists", async () => {
    const world = new World();
    const definition = workflow({ name: "w", input: z.object({ n: z.number() }) }, (_ctx, { n }) => n);
    const { client } = world.process();
    const bad = { n: "x" } as unknown as { n: number };
    const error = await rejection(world.settle(client.start(definition, bad, { id: "r" })));
    expect(error).toMatchObject({ code: "VALIDATION", issues: [{ path: "n" }] });
    expect(world.store.dump().runs).toEqual([]);
  });

  test("the result is validated, and is the schema's output", async () => {
    const world = new World();
    const definition = workflow<undefined, number>(
      { name: "w", output: z.coerce.number() },
      () => "42" as unknown as number,
    );
    const process = await world.worker([definition]);
    expect(await process.execute(definition, undefined)).toBe(42);
  });

  test("a result that does not fit is a bug: the run is stuck, nothing is undone", async () => {
    const world = new World();
    const definition = workflow<undefined, number>({ name: "w", output: z.number() }, async (ctx) => {
      ctx.compensate("undo", (step) => world.effect(step, "undo"));
      return "no" as unknown as number;
    });
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "BUG" });
    expect(world.effects).toEqual([]);
  });

  const BAD: Readonly<Record<string, object>> = {
    "an empty id": { id: "" },
    "an id of 501 characters": { id: "x".repeat(501) },
    "an id with control characters": { id: "a\u001b]52;c" },
    "half a character": { id: "\ud800" },
    "delay and at": { delay: 1, at: new Date(0) },
    "a negative delay": { delay: -1 },
    "a senseless delay": { delay: "soon" },
    "an invalid date": { at: new Date(Number.NaN) },
    "a fraction as priority": { priority: 1.5 },
    "an empty tag": { tags: { a: "" } },
    "a tag that is no text": { tags: { a: 1 } },
  };

  test.each(Object.entries(BAD))("%s is refused, and no run exists", async (_, options) => {
    const world = new World();
    const { client } = world.process();
    const error = await rejection(world.settle(client.start(double, 1, options)));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(world.store.dump().runs).toEqual([]);
  });

  test("F104: an input larger than the limit is refused", async () => {
    const { client } = new World().process();
    const any = workflow({ name: "w" }, (_ctx: Context, input: string) => input);
    expect(await rejection(client.start(any, "x".repeat(1024 * 1024)))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });

  test("P4: with `tx` the run exists if and only if the transaction commits", async () => {
    const world = new World();
    const process = await world.worker([double]);
    const lost = world.store.begin();
    await process.client.start(double, 1, { id: "lost", tx: lost });
    await lost.rollback();
    const kept = world.store.begin();
    const run = await process.client.start(double, 2, { id: "kept", tx: kept });
    await world.pass(5000);
    expect(world.store.dump().runs).toEqual([]);
    await kept.commit();
    expect(await world.settle(run.result())).toBe(4);
    expect(await rejection(world.settle(process.client.get("lost").result()))).toMatchObject({
      code: "RUN_NOT_FOUND",
    });
  });
});

describe("result", () => {
  test.each([true, false])("needs the store only: another process, hints %s", async (hints) => {
    const world = new World({ hints });
    await world.worker([double]);
    const client = world.process();
    const run = await client.start(double, 21);
    expect(await world.settle(run.result())).toBe(42);
    expect(await world.settle(world.process().client.get(run.id).result())).toBe(42);
  });

  test("many waiters of many runs are all answered", async () => {
    const world = new World();
    await world.worker([double]);
    const { client } = world.process();
    const runs = await Promise.all(
      Array.from({ length: 50 }, (_, n) => world.settle(client.start(double, n, { id: `r${n}` }))),
    );
    const results = await world.settle(Promise.all([...runs, ...runs].map((run) => run.result())));
    expect(results).toEqual([...runs, ...runs].map(({ id }) => Number(id.slice(1)) * 2));
  });

  test("of a run that does not exist", async () => {
    const world = new World();
    const handle = world.process().client.get("nobody");
    expect(await rejection(world.settle(handle.result()))).toMatchObject({ code: "RUN_NOT_FOUND" });
    expect(await rejection(world.settle(handle.status()))).toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  test("of a run that takes longer than `timeout`: the run goes on", async () => {
    const world = new World();
    const body = gate<number>();
    const slow = workflow({ name: "slow" }, (ctx) => ctx.step("slow", () => body.promise));
    const process = await world.worker([slow]);
    const run = await process.start(slow, undefined);
    const error = await rejection(world.settle(run.result({ timeout: "5s" })));
    expect(error).toMatchObject({ code: "RESULT_TIMEOUT" });
    body.open(7);
    expect(await world.settle(run.result())).toBe(7);
  });

  test("can be given up by a signal", async () => {
    const world = new World();
    const { client } = world.process();
    const run = await world.settle(client.start(double, 1));
    const controller = new AbortController();
    const waiting = run.result({ signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    expect((await rejection(waiting)).message).toBe("changed my mind");
    expect((await rejection(run.result({ signal: controller.signal }))).message).toBe("changed my mind");
  });

  test("of a stuck run waits until a person has mended it", async () => {
    const world = new World();
    let isMended = false;
    const definition = workflow({ name: "w" }, () => {
      if (!isMended) throw new TypeError("a bug");
      return "mended";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    const result = run.result();
    await world.pass(30_000);
    isMended = true;
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(result)).toBe("mended");
  });
});

test("what is no workflow is refused by clients and workers, and they say why that may be", async () => {
  const world = new World();
  const nothing = undefined as unknown as Parameters<Client["start"]>[0];
  const message =
    /must be a workflow, as workflow\(\) gives it, not undefined; modules that import each other/;
  await expect(world.process().client.start(nothing, 1)).rejects.toThrow(message);
  expect(() => new Worker({ store: world.store, workflows: [nothing as never] })).toThrow(message);
});

test("nobody waits for the result of a store that can't be used", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.waitForSignal("never"));
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  const store = process.store;
  const broken: typeof store = new Proxy(store, {
    get(target, name) {
      if (name === "list") return () => Promise.reject(new StoreError("the store was closed"));
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const client = new Client({ store: broken, clock: process.clock });
  const reason = await rejection(world.settle(client.get(run.id).result()));
  expect(reason).toMatchObject({ name: "StoreError", message: "the store was closed" });
});
