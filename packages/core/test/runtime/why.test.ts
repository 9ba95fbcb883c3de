/** No wait hides: `why` is a sentence for the person on call, in every state. */
import { describe, expect, test } from "vitest";
import { FatalError, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

const why = (world: World, id = "r"): Promise<string> => world.settle(world.process().client.runs.why(id));

test("F73: ready, and no worker has its code", async () => {
  const world = new World();
  const definition = workflow({ name: "order", version: "3" }, () => 1);
  await world.process().start(definition, undefined, { id: "r" });
  await world.pass(90_000);
  const text = await why(world);
  expect(text).toMatch(/^Run r of order version 3 is ready since 2026-01-01T00:00:00\.000Z \(90 s ago\)/);
  expect(text).toContain("no live worker has workflow order in version 3");
});

test("ready, and all slots are taken", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "order" }, (ctx) => ctx.step("slow", () => body.promise));
  const process = await world.worker([definition], { concurrency: 1 });
  await process.start(definition, undefined, { id: "first" });
  await process.start(definition, undefined, { id: "r" });
  await world.pass(5000);
  expect(await why(world)).toContain("waits for a free slot of 1 live worker");
});

test("delayed", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, () => 1);
  await world.process().start(definition, undefined, { id: "r", delay: "2h" });
  expect(await why(world)).toContain("waits until it is due in 2 h");
});

test("running: on which worker, and what happened last", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "order" }, async (ctx) => {
    await ctx.step("reserve", () => 1);
    await ctx.step("charge", () => body.promise, { compensate: () => {} });
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(3000);
  const text = await why(world);
  expect(text).toContain("runs on worker 1");
  expect(text).toContain("the last entry is started charge");
});

test("running, and its worker died", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, (ctx) => ctx.step("slow", () => new Promise(() => {})));
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  process.kill();
  await world.pass(60_000);
  expect(await why(world)).toContain("its worker died: no live worker has workflow order in version 1");
});

test("ordered to be canceled, and nobody has taken that up", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, () => 1);
  const process = world.process();
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.cancel({ reason: "a duplicate" }));
  await world.pass(5000);
  expect(await why(world)).toMatch(
    /It was ordered to be canceled 2026-01-01T00:00:00\.000Z \(5\.0 s ago\): a duplicate; a worker that has its code/,
  );
});

test("waiting for a signal, until when", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, (ctx) => ctx.waitForSignal("approval", { timeout: "3d" }));
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(3000);
  expect(await why(world)).toContain("waits for signal approval until 2026-01-04T00:00:00");
});

test("sleeping, until when", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, (ctx) => ctx.sleep("cool-off", "3d"));
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(3000);
  expect(await why(world)).toContain("waits in sleep cool-off until 2026-01-04T00:00:00");
});

test("retrying: attempt, last error, next try", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, (ctx) =>
    ctx.step(
      "charge-payment",
      () => {
        throw new Error("connect ECONNREFUSED");
      },
      { retry: { initialDelay: "10m", factor: 1, maxDelay: "10m" } },
    ),
  );
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").retries[0]?.failures === 3 && world.run("r").owner === null);
  expect(await why(world)).toMatch(
    /Retrying charge-payment, attempt 4, last error: connect ECONNREFUSED; next in [\d.]+ (?:s|min)\./,
  );
});

test("retrying: what caused the last error, unless its message says so", async () => {
  const world = new World();
  const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
  const first = new Error("fetch failed", { cause: refused });
  const second = new Error("no: shut", { cause: new Error("shut", { cause: new Error("a strike") }) });
  const definition = workflow({ name: "order" }, (ctx) =>
    ctx.step(
      "charge-payment",
      ({ attempt }) => {
        throw attempt === 1 ? first : second;
      },
      { retry: { initialDelay: "10m", factor: 1, maxDelay: "10m" } },
    ),
  );
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  for (const [index, said] of [
    "fetch failed, caused by ECONNREFUSED;",
    "no: shut, caused by a strike;",
  ].entries()) {
    await world.passUntil(
      () => world.run("r").retries[0]?.failures === index + 1 && world.run("r").owner === null,
    );
    expect(await why(world)).toContain(`last error: ${said}`);
  }
});

test("being undone, with the undo that fails", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, async (ctx) => {
    await ctx.step("charge", () => 1, {
      compensate: () => {
        throw new Error("the bank is down");
      },
    });
    throw new FatalError("no stock");
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => (world.run("r").retries[0]?.failures ?? 0) >= 2);
  const text = await why(world);
  expect(text).toContain("is being undone");
  expect(text).toContain("the bank is down");
});

test("stuck: the code of the reason, since when, what to do", async () => {
  const world = new World();
  const definition = workflow({ name: "order" }, () => {
    throw new TypeError("x is not a function");
  });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  const text = await why(world);
  for (const part of ["is stuck (BUG)", "x is not a function", "Fix it", 'resume("r")'])
    expect(text).toContain(part);
});

test("completed, failed, canceled", async () => {
  const world = new World();
  const definition = workflow<string, void>({ name: "order" }, async (ctx, how) => {
    if (how === "failed") throw new FatalError("no stock");
    if (how === "canceled") await ctx.waitForSignal("never");
  });
  const process = await world.worker([definition]);
  for (const how of ["completed", "failed", "canceled"]) {
    const run = await process.start(definition, how, { id: how });
    if (how === "canceled") await world.settle(run.cancel({ reason: "changed my mind" }));
    await world.settle(run.result()).catch(() => {});
  }
  await world.pass(60_000);
  expect(await why(world, "completed")).toMatch(/completed 2026-.* \(\d+ s ago\)\.$/);
  expect(await why(world, "failed")).toMatch(/failed 2026-.* ago\): no stock$/);
  expect(await why(world, "canceled")).toContain("changed my mind");
});

test("of a run that does not exist", async () => {
  expect(await rejection(why(new World(), "nobody"))).toMatchObject({ code: "RUN_NOT_FOUND" });
});

describe("waiting for a child", () => {
  async function calling(how: string) {
    const world = new World();
    const child = workflow<string, unknown>({ name: "mail" }, (ctx, kind) => {
      if (kind === "bug") throw new TypeError("x is not a function");
      return ctx.waitForSignal("go");
    });
    const parent = workflow<string, unknown>({ name: "order" }, (ctx, kind) => ctx.call(child, kind));
    const process = await world.worker([parent, child]);
    await process.start(parent, how, { id: "r" });
    await world.passUntil(() => world.run("r").waits.some(({ kind }) => kind === "child"));
    await world.pass(5000);
    return { world, process };
  }

  test("names it and says where it is", async () => {
    const { world } = await calling("wait");
    expect(await why(world)).toBe(
      "Run r of order version 1 waits for child r/mail of mail, which is waiting.",
    );
    expect(await why(world, "r/mail")).toContain("version 1, called by run r, waits for signal go");
  });

  test("that is stuck: why", async () => {
    const { world } = await calling("bug");
    expect(await why(world)).toMatch(
      /waits for child r\/mail, which is stuck \(BUG\): .*x is not a function.*\.$/,
    );
  });

  test("that is paused: by whom", async () => {
    const { world, process } = await calling("wait");
    await world.settle(process.client.runs.pause("r/mail", { by: "ada", because: "a typo" }));
    expect(await why(world)).toMatch(/waits for child r\/mail, which is paused since .* by ada: a typo\.$/);
  });
});

describe("waiting for a child that nobody goes on with", () => {
  async function abandoned() {
    const world = new World();
    const child = workflow<number, unknown>({ name: "mail" }, (ctx) => ctx.waitForSignal("go"));
    const parent = workflow({ name: "order" }, (ctx) => ctx.call(child, 1));
    const process = await world.worker([parent]);
    const other = world.process();
    const worker = await other.startWorker([child]);
    await process.start(parent, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").waits.some(({ kind }) => kind === "child"));
    return { world, client: process.client, worker };
  }

  test("says that no live worker has its version, also while the parent is to be undone", async () => {
    const { world, client, worker } = await abandoned();
    await world.settle(worker.stop());
    const nobody = "but no live worker has workflow mail in version 1";
    expect(await why(world)).toContain(`waits for child r/mail of mail, which is waiting, ${nobody}.`);
    await world.settle(client.get("r").cancel());
    await world.passUntil(() => world.run("r").phase !== "forward" && world.run("r").waits.length > 0);
    expect(await why(world)).toMatch(
      new RegExp(`is being undone and waits for child r/mail of mail, which is \\w+, ${nobody}\\.`),
    );
  });

  test("says that its workflow is paused", async () => {
    const { world, client } = await abandoned();
    await world.settle(client.workflows.pause("mail"));
    expect(await why(world)).toContain("child r/mail of mail, which is waiting; its workflow is paused.");
  });
});

test("of many children only some are named", async () => {
  const world = new World();
  const child = workflow<number, unknown>({ name: "mail" }, (ctx) => ctx.waitForSignal("go"));
  const parent = workflow({ name: "order" }, (ctx) =>
    Promise.all([1, 2, 3, 4, 5].map((n) => ctx.call(child, n, { name: `mail-${n}` }))),
  );
  const process = await world.worker([parent, child]);
  await process.start(parent, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length === 5);
  const text = await why(world);
  for (const n of [1, 2, 3]) expect(text).toContain(`r/mail-${n} `);
  expect(text).toContain("and 2 more");
});

test("waiting for what nobody will go on with: no live worker has its version", async () => {
  const world = new World();
  const definition = workflow({ name: "order", version: "3" }, (ctx) => ctx.waitForSignal("go"));
  const process = world.process();
  const worker = await process.startWorker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  await world.settle(worker.stop());
  expect(await why(world)).toContain("waits for signal go. No live worker has workflow order in version 3");
  expect(await why(world)).toContain("client.runs.move");
});
