/** A run as JSON: out of one store, into another. */
import { describe, expect, test } from "vitest";
import { type Codec, type ExportedRun, FatalError, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

const child = workflow<string, string>({ name: "child" }, (ctx) => ctx.waitForSignal<string>("go"));

const work = workflow<Date, string>({ name: "work" }, async (ctx, when) => {
  const a = await ctx.step("a", () => new Map([["k", 1n]]), { compensate: () => {} });
  await ctx
    .step("b", () => {
      throw new FatalError("no");
    })
    .catch(() => {});
  const go = await ctx.waitForSignal<string>("go");
  return `${when.getTime()} ${a.get("k")} ${go}`;
});

async function exported(options: { readonly codec?: Codec } = {}) {
  const world = new World();
  const process = await world.worker([work], options);
  await process.start(work, new Date(7), { id: "r", tags: { shop: "1" }, priority: 3 });
  await world.passUntil(() => world.run("r").waits.length > 0);
  await world.settle(process.client.get("r").signal("later", 1, { id: "s1" }));
  await world.passUntil(() => world.run("r").waits.length > 0 && world.run("r").owner === null);
  const data = await world.settle(process.client.runs.export("r"));
  return { world, process, data };
}

test("a run goes on in another store where it was", async () => {
  const { data } = await exported();
  const text = JSON.stringify(data);
  const world = new World();
  const process = await world.worker([work]);
  const run = await world.settle(process.client.runs.import<string>(text));
  expect(run.id).toBe("r");
  await world.settle(run.signal("go", "now"));
  expect(await world.settle(run.result())).toBe("7 1 now");
  expect(world.journal("r").slice(0, 3)).toEqual(["started a", "step a", "step b"]);
  const report = await world.settle(process.client.runs.read("r"));
  expect(report).toMatchObject({ tags: { shop: "1" }, priority: 3, signals: [{ name: "later", id: "s1" }] });
});

test("what is exported again is the same, and JSON loses nothing", async () => {
  const { data } = await exported();
  expect(JSON.parse(JSON.stringify(data))).toEqual(data);
  const world = new World();
  const { client } = world.process();
  await world.settle(client.runs.import(data));
  expect(await world.settle(client.runs.export("r"))).toEqual(data);
});

test("the same id with the same input is the same run there", async () => {
  const { data } = await exported();
  const world = new World();
  const process = world.process();
  await world.settle(process.client.runs.import(data));
  await process.start(work, new Date(7), { id: "r" });
  expect(await rejection(world.settle(process.client.start(work, new Date(8), { id: "r" })))).toMatchObject({
    code: "RUN_CONFLICT",
  });
});

test("what a codec sealed stays sealed", async () => {
  const codec: Codec = {
    encode: (text) => `sealed ${Buffer.from(text).toString("base64")}`,
    decode: (text) => Buffer.from(text.slice(7), "base64").toString(),
  };
  const { data } = await exported({ codec });
  expect(data.run.input).toMatch(/^sealed /);
  expect(JSON.stringify(data.journal)).not.toContain("devalue");
  const world = new World();
  const process = await world.worker([work], { codec });
  const run = await world.settle(process.client.runs.import(data));
  await world.settle(run.signal("go", "now"));
  expect(await world.settle(run.result())).toBe("7 1 now");
});

test("an ended run is imported as it ended", async () => {
  const { world, process } = await exported();
  await world.settle(process.client.get("r").signal("go", "x"));
  await world.settle(process.client.get("r").result());
  const data = await world.settle(process.client.runs.export("r"));
  const other = new World();
  const run = await other.settle(other.process().client.runs.import(data));
  expect(await other.settle(run.result())).toBe("7 1 x");
});

test("what was executed at that moment is in doubt where it is imported", async () => {
  const world = new World();
  const held = gate();
  const asked: string[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("charge", () => held.promise, {
      inDoubt: async ({ idempotencyKey }) => {
        asked.push(idempotencyKey);
        return { result: undefined };
      },
    }),
  );
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  const data = await world.settle(process.client.runs.export("r"));
  expect(data.retries).toMatchObject([{ key: "charge", inDoubt: true }]);
  const other = new World();
  const { client } = await other.worker([definition]);
  await other.settle((await other.settle(client.runs.import(data))).result());
  expect(asked).toEqual(["r/charge"]);
  held.open();
});

test("a run that waits for a child waits for it there as well", async () => {
  const world = new World();
  const parent = workflow({ name: "parent" }, (ctx) => ctx.call(child, "x", { name: "c" }));
  const process = await world.worker([parent, child]);
  await process.start(parent, undefined, { id: "p" });
  await world.passUntil(() => world.run("p").waits.some(({ kind }) => kind === "child"));
  await world.pass(5000);
  const [whole, part] = [
    await world.settle(process.client.runs.export("p")),
    await world.settle(process.client.runs.export("p/c")),
  ];
  expect(whole.awaits).toEqual([{ runId: "p/c", key: "c" }]);
  const other = new World();
  const { client } = await other.worker([parent, child]);
  expect(await rejection(other.settle(client.runs.import(whole)))).toMatchObject({
    code: "RUN_STATE",
    message: expect.stringContaining("p/c") as string,
  });
  await other.settle(client.runs.import(part));
  const run = await other.settle(client.runs.import(whole));
  await other.settle(client.get("p/c").signal("go", "there"));
  expect(await other.settle(run.result())).toBe("there");
});

describe("what is imported is checked", () => {
  const imported = async (data: unknown): Promise<Error> => {
    const world = new World();
    const refusal = await rejection(world.settle(world.process().client.runs.import(data)));
    expect(world.store.dump().runs).toEqual([]);
    return refusal;
  };
  const changed = (data: ExportedRun, changes: object): unknown => ({ ...data, ...changes });

  test("a taken id is a conflict, and the run there is left alone", async () => {
    const { world, process, data } = await exported();
    const before = world.run("r");
    expect(await rejection(world.settle(process.client.runs.import(data)))).toMatchObject({
      code: "RUN_CONFLICT",
    });
    expect(world.run("r")).toEqual(before);
  });

  test("whatever is not as it was exported is refused with its place", async () => {
    const { data } = await exported();
    const message = { type: "signal", id: "s", name: "go", payload: "1", at: 1 };
    const withEntry = (kind: string, value: string) =>
      changed(data, { journal: [{ seq: 1, kind, key: "", at: 1, attempt: 1, value }] });
    const cases: readonly (readonly [unknown, string])[] = [
      ["{", "no JSON"],
      [null, "must be an object"],
      [changed(data, { everstep: 2 }), "everstep must be one of 1"],
      [changed(data, { more: 1 }), "a property more that is not known"],
      [changed(data, { run: { ...data.run, owner: 3 } }), "a property owner that is not known"],
      [changed(data, { run: { ...data.run, phase: "odd" } }), "run.phase must be one of forward"],
      [changed(data, { run: { ...data.run, id: "" } }), "run id"],
      [
        changed(data, { run: { ...data.run, end: "failed" } }),
        "run r is forward, its end is failed, and it ended at null",
      ],
      [
        changed(data, { run: { ...data.run, endedAt: 5 } }),
        "run r is forward, its end is null, and it ended at 5",
      ],
      [
        changed(data, { run: { ...data.run, result: "1" } }),
        "run r has not ended, and can't have come to anything",
      ],
      [changed(data, { run: { ...data.run, createdAt: 9e15 } }), "run.createdAt must be an instant"],
      [changed(data, { run: { ...data.run, input: "\ud800" } }), "run.input must be a text"],
      [changed(data, { run: { ...data.run, workflow: "" } }), "a workflow must be a text that is not empty"],
      [changed(data, { messages: [message, message] }), "message signal s of run r is there twice"],
      [changed(data, { journal: Array(1) }), "journal[0] must be an object; it is missing"],
      [withEntry("reset", "{"), "journal[0].value must be JSON"],
      [withEntry("reset", '{"operation":"rewind"}'), "journal[0].value.to must be a whole number"],
      [
        withEntry("unwinding", '{"cause":{}}'),
        "journal[0].value.cause.status must be one of failed, canceled",
      ],
      [changed(data, { run: { ...data.run, tags: { a: 1 } } }), "run.tags.a must be a text"],
      [changed(data, { run: { ...data.run, raw: 1 } }), "run.raw must be true or false"],
      [changed(data, { journal: data.journal.slice(1) }), "entry 1 of the journal of run r is missing"],
      [changed(data, { journal: {} }), "journal must be a list"],
      [
        changed(data, { journal: [{ ...data.journal[0], at: "now" }] }),
        "journal[0].at must be a whole number",
      ],
      [
        changed(data, { journal: [{ ...data.journal[0], attempt: -1 }] }),
        "journal[0].attempt must be 0 or more",
      ],
      [changed(data, { inputHash: undefined }), "inputHash must be a text; it is missing"],
    ];
    for (const [given, text] of cases) {
      const refusal = await imported(given);
      expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(refusal.message).toContain(text);
    }
  });
});
