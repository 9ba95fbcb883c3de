/** `client.emit` and `client.start` by a name: for those who do not have the workflow's code. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Codec, workflow } from "../../src/index.ts";
import { newEvent } from "../../src/runtime/new-event.ts";
import { rejection, World } from "../support/world.ts";

const Cart = z.object({ id: z.string() });

const order = workflow(
  { name: "order", on: "cart:checked-out", input: Cart },
  (_, cart) => `ordered ${cart.id}`,
);
const mail = workflow<{ id: string }, string>(
  { name: "mail", on: "cart:checked-out" },
  (_, { id }) => `mailed ${id}`,
);

describe("emit", () => {
  test("starts one run of every workflow that listens, once per event id", async () => {
    const world = new World();
    const { client } = await world.worker([order, mail]);
    const emitted = await world.settle(client.emit("cart:checked-out", { id: "7" }, { id: "cart-7" }));
    expect(emitted.runs.toSorted()).toEqual([
      "cart:checked-out/cart-7/mail",
      "cart:checked-out/cart-7/order",
    ]);
    expect(await world.settle(client.get("cart:checked-out/cart-7/order").result())).toBe("ordered 7");
    expect(await world.settle(client.get("cart:checked-out/cart-7/mail").result())).toBe("mailed 7");
    const again = await world.settle(client.emit("cart:checked-out", { id: "7" }, { id: "cart-7" }));
    expect(again.runs.toSorted()).toEqual(emitted.runs.toSorted());
    expect(world.store.dump().runs).toHaveLength(2);
  });

  test("the same id with another payload is refused", async () => {
    const world = new World();
    const { client } = await world.worker([order]);
    await world.settle(client.emit("cart:checked-out", { id: "7" }, { id: "e" }));
    const refusal = await rejection(world.settle(client.emit("cart:checked-out", { id: "8" }, { id: "e" })));
    expect(refusal).toMatchObject({ code: "EVENT_CONFLICT" });
  });

  test("an event that nobody listens to starts nothing, and is seen in the list", async () => {
    const world = new World();
    const { client } = await world.worker([order]);
    expect(await world.settle(client.emit("cart:lost", null, { id: "e1" }))).toEqual({ runs: [] });
    await world.pass(1000);
    await world.settle(client.emit("cart:checked-out", { id: "7" }, { id: "e2" }));
    expect(await world.settle(client.events.list())).toMatchObject([
      { name: "cart:checked-out", id: "e2", runs: 1 },
      { name: "cart:lost", id: "e1", runs: 0, at: new Date(Date.UTC(2026, 0, 1)) },
    ]);
    expect(await world.settle(client.events.list({ name: "cart:lost" }))).toHaveLength(1);
    expect(await world.settle(client.events.list({ limit: 1 }))).toHaveLength(1);
  });

  test("a payload that does not fit fails that run only, and why says where it is from", async () => {
    const world = new World();
    const { client } = await world.worker([order, mail]);
    await world.settle(client.emit("cart:checked-out", { id: 7 }, { id: "e" }));
    const error = await rejection(world.settle(client.get("cart:checked-out/e/order").result()));
    expect(error.cause).toMatchObject({ code: "VALIDATION" });
    expect(await world.settle(client.get("cart:checked-out/e/mail").result())).toBe("mailed 7");
    expect(await world.settle(client.runs.why("cart:checked-out/e/order"))).toMatch(
      /^Run .* of order version 1, started by event cart:checked-out\/e, failed .*: .*not valid: id/,
    );
    const report = await world.settle(client.runs.read("cart:checked-out/e/order"));
    expect(report).toMatchObject({ event: "cart:checked-out/e/", input: { id: 7 } });
  });

  test("in a transaction of the caller's it happens if and only if that commits", async () => {
    const world = new World();
    const process = await world.worker([order]);
    const { client, store } = process;
    const lost = world.store.begin();
    await world.settle(client.emit("cart:checked-out", { id: "1" }, { id: "lost", tx: lost }));
    await lost.rollback();
    const kept = world.store.begin();
    const { runs } = await world.settle(
      client.emit("cart:checked-out", { id: "2" }, { id: "kept", tx: kept }),
    );
    await kept.commit();
    expect(runs).toEqual(["cart:checked-out/kept/order"]);
    expect(await world.settle(client.get(runs[0] ?? "").result())).toBe("ordered 2");
    expect(await world.settle(store.read("cart:checked-out/lost/order"))).toBeUndefined();
  });

  test("with a codec the payload is sealed, and each run can read it", async () => {
    const world = new World();
    const codec: Codec = {
      encode: (text, { runId }) => `${runId}|${text}`,
      decode: (text, { runId }) => {
        if (!text.startsWith(`${runId}|`)) throw new Error("not for this run");
        return text.slice(runId.length + 1);
      },
    };
    const { client } = await world.worker([order, mail], { codec });
    const { runs } = await world.settle(client.emit("cart:checked-out", { id: "7" }));
    for (const id of runs) {
      expect(await world.settle(client.get(id).result())).toMatch(/ed 7$/);
      expect(await world.settle(client.runs.read(id))).toMatchObject({ input: { id: "7" } });
    }
  });

  test("what can't be an event is refused before anything is stored", async () => {
    const world = new World();
    const { client } = world.process();
    expect(() => client.emit("", 1)).toThrow("event");
    expect(() => client.emit("e", 1, { id: "x".repeat(201) })).toThrow("200");
    expect(() => client.emit("e", () => {}, { id: "1" })).toThrow("event e with the id 1: its payload");
    expect(() => client.emit("e", "x".repeat(2_000_000))).toThrow("limit");
  });
});

describe("a new event", () => {
  const make = (name: string, id: string, payload: unknown = null) =>
    newEvent({ name, id, payload, codec: undefined, maxPayloadBytes: 1000 });

  test("two different ones never share the ids of their runs", () => {
    const prefixes = [
      ["a", "b/c"],
      ["a/b", "c"],
      ["a", "b%2Fc"],
      ["x".repeat(200), "y".repeat(200)],
      ["x".repeat(200), `${"y".repeat(199)}z`],
    ].map(([name = "", id = ""]) => make(name, id).runPrefix);
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const prefix of prefixes) expect(prefix.length).toBeLessThanOrEqual(250);
  });

  test("its digest is that of the plain payload, whatever the order of keys", () => {
    expect(make("e", "1", { a: 1, b: 2 }).payloadHash).toBe(make("e", "1", { b: 2, a: 1 }).payloadHash);
    expect(make("e", "1", { a: 1 }).payloadHash).not.toBe(make("e", "1", { a: 2 }).payloadHash);
  });
});

describe("start by name", () => {
  test("the run gets the version that workers have, and validates its input when it begins", async () => {
    const world = new World();
    await world.worker([
      workflow({ name: "order", version: "2", input: Cart }, (_, { id }) => `second ${id}`),
    ]);
    const { client } = world.process();
    const run = await world.settle(client.start<string>("order", { id: "7" }, { id: "r" }));
    expect(await world.settle(run.result())).toBe("second 7");
    expect(world.run("r").version).toBe("2");
    const bad = await world.settle(client.start("order", { id: 7 }));
    expect((await rejection(world.settle(bad.result()))).cause).toMatchObject({ code: "VALIDATION" });
  });

  test("the same id is the same run", async () => {
    const world = new World();
    await world.worker([order]);
    const { client } = world.process();
    await world.settle(client.start("order", { id: "7" }, { id: "r" }));
    await world.settle(client.start("order", { id: "7" }, { id: "r" }));
    expect(await rejection(world.settle(client.start("order", { id: "8" }, { id: "r" })))).toMatchObject({
      code: "RUN_CONFLICT",
    });
  });

  test("a workflow that no worker ever had is waited for, and why says so", async () => {
    const world = new World();
    const { client } = world.process();
    await world.settle(client.start("later", 1, { id: "r" }));
    expect(await world.settle(client.runs.why("r"))).toContain(
      "no live worker has workflow later in version 1",
    );
    await world.worker([workflow<number, number>({ name: "later" }, (_, n) => n + 1)]);
    expect(await world.settle(client.get("r").result())).toBe(2);
  });

  test("in a transaction of the caller's", async () => {
    const world = new World();
    await world.worker([order]);
    const { client } = world.process();
    const tx = world.store.begin();
    const run = await world.settle(client.start("order", { id: "7" }, { id: "r", tx }));
    await tx.commit();
    expect(await world.settle(run.result())).toBe("ordered 7");
  });
});
