import { describe, expect, onTestFinished, test } from "vitest";
import {
  type AnyWorkflow,
  type Codec,
  FatalError,
  InvalidArgumentError,
  type Workflow,
  workflow,
} from "../../src/index.ts";
import {
  type RecordedRun,
  type Replay,
  replay,
  type TestWorker,
  testWorker,
} from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

async function workerOf(workflows: AnyWorkflow, options: { codec?: Codec } = {}): Promise<TestWorker> {
  const worker = await testWorker({ workflows: [workflows], patience: 300, ...options });
  onTestFinished(() => worker.stop());
  return worker;
}

/** The four forms in which a run can be kept. */
async function formsOf({ client, store }: TestWorker, id: string): Promise<Record<string, RecordedRun>> {
  const [report, details] = [await client.runs.read(id), await store.read(id)];
  if (details === undefined) throw new Error(`there is no run ${id}`);
  return {
    "a report": report,
    "the JSON of a report": JSON.stringify(report),
    details,
    "the JSON of details": JSON.stringify(details, null, 2),
  };
}

const bodies: string[] = [];
const body = (name: string) => (): string => {
  bodies.push(name);
  return name;
};

const order = workflow({ name: "order" }, async (ctx, input: { readonly cents: number }) => {
  const charge = await ctx.step("charge", body("charge"), { compensate: body("refund") });
  await ctx.sleep("cooling-off", "1d");
  const approved = await ctx.waitForSignal<boolean>("approval", { timeout: "30d" });
  if (!approved) throw new Error("refused");
  await Promise.all(["a", "b"].map((key) => ctx.step("pack", body(`pack ${key}`), { key })));
  return { charge, cents: input.cents, at: ctx.now() };
});

/** What today's code would make of the run in each of its forms; they agree. */
async function outcomeOf<I, O>(
  code: Workflow<I, O>,
  worker: TestWorker,
  id: string,
  codec?: Codec,
): Promise<Replay | undefined> {
  bodies.length = 0;
  const outcomes: Replay[] = [];
  for (const form of Object.values(await formsOf(worker, id)))
    outcomes.push(await replay(code, form, codec === undefined ? {} : { codec }));
  expect(bodies, "no body is called").toEqual([]);
  const [first] = outcomes;
  for (const outcome of outcomes) expect(outcome).toEqual(first);
  return first;
}

const sealing: Codec = {
  encode: (text, { runId, key }) => `${runId}|${key}|${text}`,
  decode: (text, { runId, key }) => {
    const bound = `${runId}|${key}|`;
    if (!text.startsWith(bound)) throw new Error(`not of ${bound}`);
    return text.slice(bound.length);
  },
};

for (const codec of [undefined, sealing])
  describe(`the same code, ${codec === undefined ? "without a codec" : "with a codec"}`, () => {
    const options = codec === undefined ? {} : { codec };

    test("a run that completed completes again, with its result", async () => {
      const worker = await workerOf(order, options);
      const run = await worker.start(order, { cents: 1999 }, { id: "42" });
      await worker.signal(run, "approval", true);
      const result = await worker.result(run);
      expect(await outcomeOf(order, worker, "42", codec)).toEqual({
        is: "ended",
        status: "completed",
        result,
        adds: ["end completed"],
      });
    });

    test("a run that sleeps, and one that waits for a signal, wait again", async () => {
      const worker = await workerOf(order, options);
      await worker.start(order, { cents: 1 }, { id: "1" });
      await worker.idle();
      const slept = { kind: "timer", key: "cooling-off", until: Date.UTC(2026, 0, 2) };
      expect(await outcomeOf(order, worker, "1", codec)).toEqual({ is: "waiting", for: [slept], adds: [] });
      await worker.skip("1d");
      const awaited = { kind: "signal", key: "approval", until: Date.UTC(2026, 1, 1) };
      expect(await outcomeOf(order, worker, "1", codec)).toEqual({ is: "waiting", for: [awaited], adds: [] });
    });

    test("a run that failed and was undone fails again; one that is being undone goes on with that", async () => {
      const worker = await workerOf(order, options);
      worker.fail("charge", { of: "undo", times: 8, error: new Error("stripe is down") });
      const run = await worker.start(order, { cents: 1 }, { id: "1" });
      await worker.signal(run, "approval", false);
      await worker.skip("1d");
      expect(await run.status()).toBe("compensating");
      const undoing = await outcomeOf(order, worker, "1", codec);
      expect(undoing).toMatchObject({ is: "going-on", next: ["undo charge"] });
      await worker.result(run).catch(() => {});
      expect(await outcomeOf(order, worker, "1", codec)).toMatchObject({
        is: "ended",
        status: "failed",
        error: { message: "refused" },
        adds: ["end failed"],
      });
    });

    test("a run that was canceled is canceled again", async () => {
      const worker = await workerOf(order, options);
      const run = await worker.start(order, { cents: 1 }, { id: "1" });
      await worker.idle();
      await run.cancel({ reason: "sold out" });
      await worker.idle();
      expect(await outcomeOf(order, worker, "1", codec)).toMatchObject({
        is: "ended",
        status: "canceled",
        adds: ["end canceled"],
      });
    });

    test("a run that was never executed begins", async () => {
      const worker = await workerOf(order, options);
      await worker.start(order, { cents: 1 }, { id: "1", delay: "1d" });
      expect(await outcomeOf(order, worker, "1", codec)).toEqual({
        is: "going-on",
        next: ["step charge"],
        adds: ["started charge"],
      });
    });
  });

describe("changed code", () => {
  async function waiting(): Promise<TestWorker> {
    const worker = await workerOf(order);
    await worker.start(order, { cents: 1 }, { id: "1" });
    await worker.skip("1d");
    return worker;
  }

  test("a renamed step diverges, and says where, and what to do", async () => {
    const renamed = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge-card", body("charge"), { compensate: body("refund") });
    });
    const { "a report": report = "" } = await formsOf(await waiting(), "1");
    expect(await replay(renamed, report)).toEqual({
      is: "diverged",
      at: { seq: 1, kind: "started", key: "charge" },
      message: expect.stringMatching(/asks for step charge-card.*`was`.*ctx\.patched/s) as unknown,
    });
  });

  test("with its older name it waits as before; under patched the new step is left out", async () => {
    const mended = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge-card", body("charge"), { compensate: body("refund"), was: ["charge"] });
      if (ctx.patched("check-fraud")) await ctx.step("check-fraud", body("fraud"));
      await ctx.sleep("cooling-off", "1d");
      await ctx.waitForSignal("approval");
    });
    expect(await outcomeOf(mended, await waiting(), "1")).toMatchObject({
      is: "waiting",
      for: [{ kind: "signal", key: "approval", until: null }],
    });
  });

  test("code that has ended where the journal goes on diverges", async () => {
    const shorter = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge", body("charge"), { compensate: body("refund") });
    });
    expect(await outcomeOf(shorter, await waiting(), "1")).toMatchObject({
      is: "diverged",
      at: { seq: 3, kind: "timer", key: "cooling-off" },
    });
  });

  test("a step that is asked for beyond what the run has reached is what it would go on with", async () => {
    const longer = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge", body("charge"), { compensate: body("refund") });
      await ctx.sleep("cooling-off", "1d");
      await Promise.all(["x", "y"].map((key) => ctx.step("notify", body("notify"), { key })));
    });
    expect(await outcomeOf(longer, await waiting(), "1")).toEqual({
      is: "going-on",
      next: ["step notify[x]", "step notify[y]"],
      adds: [],
    });
  });

  test("code that throws a bug is stuck", async () => {
    const buggy = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge", body("charge"), { compensate: body("refund") });
      await ctx.sleep("cooling-off", "1d");
      return (null as unknown as { x: string }).x;
    });
    expect(await outcomeOf(buggy, await waiting(), "1")).toMatchObject({ is: "stuck", code: "BUG" });
  });

  test("an undo that is registered no longer is stuck, before any other is called", async () => {
    const worker = await workerOf(order);
    worker.fail("charge", { of: "undo", times: 8 });
    const run = await worker.start(order, { cents: 1 }, { id: "1" });
    await worker.signal(run, "approval", false);
    await worker.skip("1d");
    const careless = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge", body("charge"));
      await ctx.sleep("cooling-off", "1d");
      await ctx.waitForSignal("approval");
      throw new Error("refused");
    });
    const { "a report": report = "" } = await formsOf(worker, "1");
    expect(await replay(careless, report)).toMatchObject({ is: "stuck", code: "UNDO_FAILED" });
  });

  test("the handler's own awaits are given a second, and cost no more than they take", async () => {
    const own = workflow({ name: "own" }, async (ctx) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await ctx.step("one", body("one"));
      await new Promise((resolve) => setTimeout(resolve, 30));
      await ctx.step("two", body("two"));
      await ctx.waitForSignal("go");
    });
    const worker = await workerOf(own);
    await worker.start(own, null, { id: "1" });
    await worker.skip("1s");
    await expect.poll(async () => (await worker.store.read("1"))?.journal.length).toBe(2);
    await worker.idle();
    const tookMs: number[] = [];
    for (const form of Object.values(await formsOf(worker, "1"))) {
      const since = performance.now();
      expect(await replay(own, form)).toMatchObject({ is: "waiting", for: [{ key: "go" }] });
      tookMs.push(performance.now() - since);
    }
    // The quickest of four: a busy machine makes some of them slow, a second of waiting each of them.
    expect(Math.min(...tookMs)).toBeLessThan(1000);
  });

  test("a handler that waits for something of its own for ever is said to", async () => {
    const own = workflow({ name: "order" }, () => new Promise<never>(() => {}));
    const worker = await workerOf(order);
    await worker.start(order, { cents: 1 }, { id: "1", delay: "1d" });
    const { "a report": report = "" } = await formsOf(worker, "1");
    expect(await replay(own, report)).toMatchObject({
      is: "stuck",
      message: expect.stringContaining("awaits something") as unknown,
    });
  });
});

describe("what is kept", () => {
  test("a run that took too long fails again; one that is to be canceled is canceled", async () => {
    const brief = workflow({ name: "brief", timeout: "1h" }, async (ctx) => {
      await ctx.step("one", body("one"));
      await ctx.waitForSignal("never");
    });
    const worker = await workerOf(brief);
    await worker.start(brief, null, { id: "late" });
    await worker.skip("1h");
    for (const form of Object.values(await formsOf(worker, "late")))
      expect(await replay(brief, form)).toMatchObject({
        is: "ended",
        status: "failed",
        error: { name: "RunTimeoutError" },
      });
    const run = await worker.start(brief, null, { id: "canceled" });
    await worker.idle();
    await worker.stop();
    await run.cancel();
    const { details } = await formsOf(worker, "canceled");
    expect(await replay(brief, details ?? "")).toMatchObject({
      is: "ended",
      status: "canceled",
      adds: ["cancel", "end canceled"],
    });
  });

  test("an order to cancel that came too late for the end cancels nothing now either", async () => {
    const worker = await workerOf(order);
    const run = await worker.start(order, { cents: 1 }, { id: "1" });
    await worker.signal(run, "approval", true);
    await worker.result(run);
    const details = await worker.store.read("1");
    if (details === undefined) throw new Error("there is no run 1");
    const late = {
      no: 9,
      type: "cancel",
      id: "late",
      name: "",
      payload: '{"compensate":true}',
      at: details.now,
    } as const;
    expect(await replay(order, { ...details, messages: [late] })).toMatchObject({
      is: "ended",
      status: "completed",
    });
  });

  test("a signal that no wait has taken yet is taken, where its payload was kept", async () => {
    const worker = await workerOf(order);
    const run = await worker.start(order, { cents: 1 }, { id: "1" });
    await worker.idle();
    await worker.signal(run, "approval", true);
    const early = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("charge", body("charge"), { compensate: body("refund") });
      await ctx.waitForSignal("approval");
      await ctx.step("ship", body("ship"));
    });
    const { details, "a report": report } = await formsOf(worker, "1");
    expect(await replay(early, details ?? "")).toMatchObject({
      is: "going-on",
      next: ["step ship"],
      adds: ["signal approval"],
    });
    expect(await replay(early, report ?? "")).toMatchObject({ is: "waiting" });
  });

  test("a step that is retried is what it goes on with; one used up as well, as after resume", async () => {
    const sending = workflow({ name: "sending" }, async (ctx) =>
      ctx.step("send", body("send"), { retry: { maxAttempts: 6, onExhausted: "stick" } }),
    );
    const worker = await workerOf(sending);
    worker.fail("send", { times: 6 });
    await worker.start(sending, null, { id: "1" });
    while (worker.calls.length < 5) await worker.skip("1s");
    for (const form of Object.values(await formsOf(worker, "1")))
      expect(await replay(sending, form)).toMatchObject({ is: "going-on", next: ["step send"] });
    await worker.skip("1h");
    expect(await worker.client.get("1").status()).toBe("stuck");
    for (const form of Object.values(await formsOf(worker, "1")))
      expect(await replay(sending, form)).toMatchObject({ is: "going-on", next: ["step send"] });
  });

  test("a step that a crash left in doubt is asked about", async () => {
    const careful = workflow({ name: "careful" }, (ctx) =>
      ctx.step("send", body("send"), { inDoubt: () => new Promise<never>(() => {}) }),
    );
    const worker = await workerOf(careful);
    worker.mock("send", () => worker.crash());
    await worker.start(careful, null, { id: "1" });
    await worker.idle().catch(() => {});
    const { details } = await formsOf(worker, "1");
    expect(await replay(careful, details ?? "")).toMatchObject({ is: "going-on", next: ["inDoubt send"] });
  });

  test("values that JSON does not have, and errors, come as they were in details", async () => {
    const odd = workflow({ name: "odd" }, async (ctx, input: Map<string, bigint>) => {
      const seen = await ctx.step("odd", () => new Set([undefined, Number.NaN]));
      const error = await ctx
        .step("fails", () => {
          throw new FatalError("declined", { code: "card_declined" });
        })
        .catch((thrown: unknown) => thrown as Error);
      return { input, seen, error: error.message, cause: error.cause };
    });
    const worker = await workerOf(odd);
    const run = await worker.start(odd, new Map([["a", 1n]]), { id: "1" });
    const result = await worker.result(run);
    const { "the JSON of details": json, "a report": report } = await formsOf(worker, "1");
    for (const form of [json, report]) {
      const outcome = await replay(odd, form ?? "");
      expect(outcome).toMatchObject({ is: "ended", status: "completed" });
      expect(outcome.is === "ended" && outcome.status === "completed" && outcome.result).toEqual(result);
    }
  });

  test("a run of another workflow or version, and what is no run, are refused", async () => {
    const worker = await workerOf(order);
    await worker.start(order, { cents: 1 }, { id: "1" });
    const { details = "" } = await formsOf(worker, "1");
    const second = workflow({ name: "order", version: "2" }, () => null);
    expect(await rejection(replay(second, details))).toBeInstanceOf(InvalidArgumentError);
    for (const wrong of ["", "{}", "null", "[]", '{"run":{}}'])
      expect(await rejection(replay(order, wrong))).toBeInstanceOf(InvalidArgumentError);
  });
});
