/** `client.runs`: looking at runs, and resuming each kind of stuck. */
import { describe, expect, test } from "vitest";
import { type Codec, FatalError, type RetryPolicy, workflow } from "../../src/index.ts";
import { type Process, rejection, World } from "../support/world.ts";

describe("list and count", () => {
  async function shop() {
    const world = new World();
    const order = workflow<string, string>({ name: "order" }, async (ctx, how) => {
      if (how === "fail") throw new FatalError("no");
      if (how === "wait") await ctx.waitForSignal("go");
      if (how === "bug") throw new TypeError("bug");
      return how;
    });
    const other = workflow({ name: "other" }, () => 1);
    const process = await world.worker([order, other]);
    for (const [id, how] of [
      ["a", "fail"],
      ["b", "wait"],
      ["c", "bug"],
      ["d", "done"],
    ] as const) {
      await process.start(order, how, { id, tags: { how, shop: "1" } });
      await world.pass(1000);
    }
    await process.start(other, undefined, { id: "e" });
    await world.pass(1000);
    return { world, runs: process.client.runs };
  }

  test("filters by status, workflow, tag and time", async () => {
    const { world, runs } = await shop();
    const ids = async (filter: Parameters<typeof runs.list>[0]): Promise<string> =>
      (await world.settle(runs.list(filter))).runs.map(({ id }) => id).join("");
    expect(await ids({})).toBe("edcba");
    expect(await ids({ order: "oldest" })).toBe("abcde");
    expect(await ids({ status: "failed" })).toBe("a");
    expect(await ids({ status: ["waiting", "stuck"] })).toBe("cb");
    expect(await ids({ workflow: "other" })).toBe("e");
    expect(await ids({ tag: { how: "wait", shop: "1" } })).toBe("b");
    expect(await ids({ since: Date.UTC(2026, 0, 1) + 2500 })).toBe("ed");
    expect(await world.settle(runs.count({ workflow: "order" }))).toBe(4);
    expect(await world.settle(runs.count())).toBe(5);
  });

  test("pages follow each other", async () => {
    const { world, runs } = await shop();
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await world.settle(runs.list({ limit: 2, ...(after === undefined ? {} : { after }) }));
      seen.push(page.runs.map(({ id }) => id).join(""));
      after = page.next ?? undefined;
    } while (after !== undefined);
    expect(seen).toEqual(["ed", "cb", "a"]);
  });

  test("a summary says what people need", async () => {
    const { world, runs } = await shop();
    const { runs: list } = await world.settle(runs.list({ order: "oldest" }));
    expect(list.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "a failed",
      "b waiting",
      "c stuck",
      "d completed",
      "e completed",
    ]);
    expect(list[1]).toMatchObject({
      workflow: "order",
      version: "1",
      tags: { how: "wait", shop: "1" },
      waits: [{ kind: "signal", key: "go", until: null }],
      createdAt: new Date(Date.UTC(2026, 0, 1) + 1000),
      endedAt: null,
    });
    expect(list[2]?.stuck).toMatchObject({ code: "BUG" });
    expect(list[0]?.error).toMatchObject({ name: "FatalError", message: "no" });
    expect(list.flatMap(({ id, error }) => (error === undefined ? [] : id))).toEqual(["a"]);
  });
});

test("read shows everything stored of a run, decoded", async () => {
  const world = new World();
  const definition = workflow<Date, bigint>({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => new Map([["k", 1n]]), { compensate: () => {} });
    await ctx
      .step("b", () => {
        throw new FatalError("no", { code: "nope" });
      })
      .catch(() => {});
    await ctx.step(
      "c",
      (step) => {
        if (step.attempt < 3) throw new Error("down");
      },
      { retry: { initialDelay: "20s", factor: 1 } },
    );
    return 7n;
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, new Date(0), { id: "r" });
  await world.settle(run.signal("later", { n: 1 }, { id: "s1" }));
  await world.passUntil(() => world.run("r").retries.length > 0 && world.run("r").owner === null);
  const waiting = await world.settle(process.client.runs.read("r"));
  expect(waiting).toMatchObject({ status: "waiting", input: new Date(0) });
  expect(waiting.journal).toMatchObject([
    { seq: 1, kind: "started", key: "a" },
    { seq: 2, kind: "step", key: "a", value: new Map([["k", 1n]]) },
    { seq: 3, kind: "step", key: "b", error: { code: "STEP_FAILED", cause: { code: "nope" } } },
  ]);
  expect(waiting.retries).toMatchObject([{ step: "c", failures: 1, error: { message: "down" } }]);
  expect(waiting.signals).toMatchObject([{ name: "later", id: "s1" }]);
  await world.settle(run.result());
  expect(await world.settle(process.client.runs.read("r"))).toMatchObject({
    status: "completed",
    result: 7n,
  });
});

describe("resume", () => {
  test("only a stuck run can be resumed, and one that exists", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) => ctx.waitForSignal("go"));
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    const { runs } = process.client;
    expect(await rejection(world.settle(runs.resume("r")))).toMatchObject({ code: "RUN_STATE" });
    expect(await rejection(world.settle(runs.resume("nobody")))).toMatchObject({ code: "RUN_NOT_FOUND" });
    await world.settle(run.signal("go"));
    await world.settle(run.result());
    expect(await rejection(world.settle(runs.resume("r")))).toMatchObject({ code: "RUN_STATE" });
  });

  test("is an entry of the journal, with its reason", async () => {
    const world = new World();
    let isMended = false;
    const definition = workflow({ name: "w" }, () => {
      if (!isMended) throw new TypeError("bug");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    isMended = true;
    await world.settle(process.client.runs.resume("r", { because: "deployed 1.2.3" }));
    await world.settle(run.result());
    const { journal } = await world.settle(process.client.runs.read("r"));
    expect(journal[0]).toMatchObject({ kind: "resume", value: { because: "deployed 1.2.3" } });
  });

  test.each([
    ["maxAttempts", { maxAttempts: 2, initialDelay: 10 }],
    ["maxElapsed", { maxElapsed: "20s", initialDelay: "5s", factor: 1 }],
  ])("EXHAUSTED by %s: the attempts begin anew", async (_, policy) => {
    const world = new World();
    const retry: RetryPolicy = { ...policy, onExhausted: "stick" };
    let isUp = false;
    const attempts: number[] = [];
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step(
        "call",
        (step) => {
          attempts.push(step.attempt);
          if (!isUp) throw new Error("down");
          return "up";
        },
        { retry },
      ),
    );
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "EXHAUSTED" });
    const before = attempts.length;
    await world.settle(process.client.runs.resume("r"));
    await world.passUntil(() => attempts.length >= before + 2);
    expect(attempts.slice(before, before + 2)).toEqual([1, 2]);
    isUp = true;
    if (world.run("r").stuck !== null) await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(run.result())).toBe("up");
  });

  test("DIVERGED: with the code mended it goes on where it was", async () => {
    const world = new World();
    let name = "a";
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step(name, (step) => world.effect(step, name));
      await ctx.sleep("nap", "10s");
      return "done";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(2000);
    name = "b";
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "DIVERGED" });
    name = "a";
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(run.result())).toBe("done");
    expect(world.effectNames).toEqual(["a"]);
  });

  test("REFUSED: what the store can't hold leaves the run stuck; it goes on when it is mended", async () => {
    const world = new World();
    let isBad = true;
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("before", (step) => world.effect(step, "before"));
      return ctx.step("value", () => (isBad ? "bad" : "good"));
    });
    const process = await world.worker([definition]);
    refuseBad(process);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "REFUSED" });
    expect(world.run("r").stuck?.message).toContain("bad bytes");
    isBad = false;
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(run.result())).toBe("good");
    expect(world.effectNames).toEqual(["before"]);
  });

  test("P3: what executed while the store refused another branch is in doubt after the resume", async () => {
    const world = new World();
    let isBad = true;
    const asked: string[] = [];
    const definition = workflow({ name: "w" }, (ctx) =>
      Promise.all([
        ctx.step("value", () => (isBad ? "bad" : "good")),
        ctx.step(
          "charge",
          async (step) => {
            world.effect(step, "charge");
            await new Promise<void>((resolve) => world.clock.after(1000, resolve));
            return "charged";
          },
          {
            inDoubt: async ({ idempotencyKey }) => {
              asked.push(idempotencyKey);
              return { result: "found" };
            },
          },
        ),
      ]),
    );
    const process = await world.worker([definition]);
    refuseBad(process);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    isBad = false;
    await world.settle(process.client.runs.resume("r"));
    expect(await world.settle(run.result())).toEqual(["good", "found"]);
    expect(asked).toEqual(["r/charge"]);
    expect(world.effectNames).toEqual(["charge"]);
  });
});

/** A store that can't hold a certain value: the write that brings it is refused, the others of its batch are not. */
function refuseBad({ store }: Process): void {
  const commit = store.commit.bind(store);
  store.commit = async (batch) => {
    const bad = batch.writes.findIndex(
      (write) => write.kind === "advance" && write.entries.some(({ value }) => value === '"bad"'),
    );
    if (bad === -1) return commit(batch);
    const rest = batch.writes.filter((_, index) => index !== bad);
    const outcomes = await commit({ ...batch, writes: rest });
    return outcomes.toSpliced(bad, 0, { is: "refused", reason: "bad bytes" });
  };
}

test("a run that is stuck for a reason that can't be decoded hides no other one", async () => {
  const world = new World();
  const codec: Codec = { encode: (text) => `sealed ${text}`, decode: (text) => text.slice(7) };
  const definition = workflow({ name: "w" }, () => Promise.reject(new TypeError("a bug")));
  const process = await world.worker([definition], { codec });
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  const { runs } = world.process({ codec: { ...codec, decode: () => fail() } }).client;
  const { runs: listed } = await world.settle(runs.list());
  expect(listed).toMatchObject([{ id: "r", stuck: { code: "BUG" } }]);
  expect(listed[0]?.stuck?.message).toContain("another key");
  expect(await world.settle(runs.why("r"))).toMatch(/is stuck \(BUG\).*another key/);

  function fail(): never {
    throw new Error("sealed with another key");
  }
});

test("I20: with a codec, a worker's log says nothing of what runs say; without one it does", async () => {
  const codec: Codec = { encode: (text) => `sealed ${text}`, decode: (text) => text.slice(7) };
  for (const own of [{ codec }, {}]) {
    const world = new World();
    const failing = workflow({ name: "failing" }, (ctx) =>
      ctx.step(
        "charge",
        () => {
          throw new Error("card 4242");
        },
        { retry: { maxAttempts: 7, initialDelay: 1, onExhausted: "stick" } },
      ),
    );
    const process = await world.worker([failing], own);
    await process.start(failing, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    const said = world.lines.map(({ message }) => message).join("\n");
    expect(said).toContain("step charge failed 5 times");
    expect(said.includes("card 4242")).toBe(!("codec" in own));
    if ("codec" in own) expect(said).toContain('client.runs.why("r") shows it');
    expect(await world.settle(world.process(own).client.runs.why("r"))).toContain("card 4242");
  }
});
