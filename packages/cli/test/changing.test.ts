/** Every command that changes runs, on both stores: what it does, what it answers, and how it ends. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, FatalError, Worker, workflow } from "@everstep/core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { eventually, KINDS, Operator } from "./support/operator.ts";

const WORKFLOWS = join(import.meta.dirname, "support/shop-2.ts");

/** Fails at its step as long as `ok` is false; waits for `go` before it. */
function shop() {
  const bank = { ok: false, charges: [] as string[] };
  const order = workflow({ name: "order" }, async (ctx) => {
    await ctx.step("reserve", () => "reserved", { compensate: () => "released" });
    await ctx.step("charge", ({ idempotencyKey }) => {
      if (!bank.ok) throw new FatalError("declined", { happened: false });
      bank.charges.push(idempotencyKey);
      return "ch_1";
    });
    return "shipped";
  });
  const waiting = workflow({ name: "waiting" }, async (ctx, by: unknown) => {
    const go = await ctx.waitForSignal("go");
    return { by, go };
  });
  const doubtful = workflow({ name: "doubtful" }, (ctx) =>
    ctx.step(
      "charge",
      ({ attempt }) => {
        bank.charges.push(`attempt ${attempt}`);
        throw new Error("no reply");
      },
      { retry: { maxAttempts: 1, onExhausted: "stick" } },
    ),
  );
  return { bank, order, waiting, doubtful, all: [order, waiting, doubtful] as const };
}

describe.each(KINDS)("on %s", (kind) => {
  test("retry, cancel, rewind, fork, purge: one run through its life", async () => {
    const operator = new Operator(kind);
    const { bank, all } = shop();
    await operator.worker(...all);
    expect(await operator.json(["start", "order", '{"id":42}', "--id", "order-42", "--tag", "a=b"])).toEqual({
      operation: "start",
      id: "order-42",
      workflow: "order",
    });
    await operator.until("order-42", "failed");
    const misspelt = await operator.type(["start", "oder", "1"]);
    expect(misspelt.code).toBe(3);
    expect(misspelt.err).toContain("workers have doubtful, order, waiting");
    expect(await operator.client.runs.count()).toBe(1);
    expect((await operator.type(["start", "to-come", "1", "--unseen"])).code).toBe(0);

    bank.ok = true;
    const retried = await operator.json([
      "retry",
      "order-42",
      "--because",
      "the bank is back",
      "--by",
      "ada",
    ]);
    expect(retried).toEqual({ operation: "retry", done: ["order-42"], refused: [], unknown: [], left: 0 });
    await operator.until("order-42", "completed");
    const { journal, tags } = await operator.client.runs.read("order-42");
    expect(journal.find(({ kind: entry }) => entry === "reset")?.value).toMatchObject({
      operation: "retry",
      by: "ada",
      because: "the bank is back",
    });
    expect(tags).toEqual({ a: "b" });

    const refused = await operator.type(["retry", "order-42"]);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("rewind it, or fork it");
    expect((await operator.type(["cancel", "order-42", "--yes"])).err).toContain("came too late");

    expect((await operator.type(["rewind", "order-42", "--to", "charge"])).code).toBe(2);
    expect(await operator.type(["rewind", "order-42", "--to", "charge", "--yes"])).toMatchObject({
      code: 0,
      out: "rewound order-42\n",
    });
    await operator.until("order-42", "completed");
    expect(await operator.type(["fork", "order-42", "--from", "charge", "--id", "other"])).toMatchObject({
      code: 0,
      out: "forked order-42 at charge: other\n",
    });
    await operator.until("other", "completed");
    expect(bank.charges).toEqual(["order-42/charge~2", "order-42/charge~3", "other/charge"]);

    const shortened = await operator.type(["purge", "order-4", "--yes"]);
    expect(shortened.code).toBe(3);
    expect(shortened.err).toContain("order-42 begins so");
    expect((await operator.type(["purge", "", "--yes"])).code).toBe(2);
    for (const [when, purged] of [
      ["1h", 0],
      ["2000-01-01", 0],
      ["0s", 2],
    ] as const)
      expect(await operator.json(["purge", "--ended-before", when, "--dry-run"])).toMatchObject({
        runs: { length: purged },
      });
    expect((await operator.type(["purge", "order-42", "--ended-before", "1h", "--yes"])).code).toBe(2);
    expect((await operator.type(["purge", "order-42", "--yes"])).out).toBe("purged order-42\n");
    expect((await operator.type(["purge", "order-42", "--yes"])).code).toBe(3);
  });

  test("pause, resume, signal, cancel: one that waits", async () => {
    const operator = new Operator(kind);
    const { waiting } = shop();
    await operator.worker(waiting);
    await operator.type(["start", "waiting", '"ada"', "--id", "w-1"]);
    await operator.type(["start", "waiting", "null", "--id", "w-2"]);
    await operator.until("w-1", "waiting");
    await operator.until("w-2", "waiting");
    expect((await operator.type(["resume", "w-1"])).code).toBe(1);
    expect((await operator.type(["pause", "w-1", "--because", "look at it"])).out).toBe("paused w-1\n");
    expect(await operator.client.runs.why("w-1")).toContain("look at it");
    writeFileSync(join(operator.cwd, "go.json"), '{ "by": "eve" }');
    expect((await operator.type(["signal", "w-1", "go", "@go.json", "--id", "s1"])).out).toBe(
      "sent go to w-1\n",
    );
    expect((await operator.type(["signal", "w-1", "go", "@go.json", "--id", "s1"])).code).toBe(0);
    expect((await operator.type(["resume", "w-1"])).code).toBe(0);
    await operator.until("w-1", "completed");
    expect(await operator.client.get("w-1").result()).toEqual({ by: "ada", go: { by: "eve" } });
    expect((await operator.type(["signal", "w-1", "go"])).err).toContain("came too late");

    await operator.until("w-2", "waiting");
    expect((await operator.type(["cancel", "w-2", "--no-compensate"])).code).toBe(2);
    expect((await operator.type(["cancel", "w-2", "--no-compensate", "--yes"])).code).toBe(0);
    await operator.until("w-2", "canceled");
  });

  test("resolve and skip: a step that nobody knows the outcome of", async () => {
    const operator = new Operator(kind);
    const { doubtful, bank } = shop();
    await operator.worker(doubtful);
    for (const id of ["d-1", "d-2", "d-3", "d-4"]) await operator.client.start("doubtful", null, { id });
    for (const id of ["d-1", "d-2", "d-3", "d-4"]) await operator.until(id, "stuck");
    expect((await operator.type(["resolve", "d-1", "charge"])).err).toContain("one of --result");
    expect((await operator.type(["resolve", "d-1", "charge", "--result", "1", "--rerun"])).code).toBe(2);
    expect((await operator.type(["resolve", "d-1", "charge", "--result", "ok"])).err).toContain("is no JSON");
    expect((await operator.type(["resolve", "d-1", "nothing", "--rerun"])).code).toBe(2);
    const result = ["resolve", "d-1", "charge", "--result", "-", "--because", "found"];
    expect((await operator.type(result, { input: '{"id":"ch_7"}' })).out).toBe("resolved d-1\n");
    await operator.until("d-1", "completed");
    expect(await operator.client.get("d-1").result()).toEqual({ id: "ch_7" });
    await operator.type(["resolve", "d-2", "charge", "--error", "declined", "--no-happened"]);
    await operator.until("d-2", "failed");
    await operator.type(["skip", "d-3", "charge"]);
    await operator.until("d-3", "completed");
    expect(bank.charges).toHaveLength(4);
    await operator.type(["resolve", "-", "charge", "--rerun"], { input: "d-4\n" });
    await eventually("it was run again", () => bank.charges.length === 5);
  });

  test("many: a filter, ids, ids from a pipe; what it would do, and what was refused", async () => {
    const operator = new Operator(kind);
    const { bank, order } = shop();
    await operator.worker(order);
    const ids = ["o-1", "o-2", "o-3"];
    for (const id of ids) await operator.client.start("order", null, { id, tags: { lot: "a" } });
    for (const id of ids) await operator.until(id, "failed");
    bank.ok = true;
    await operator.client.start("order", null, { id: "fine", tags: { lot: "a" } });
    await operator.until("fine", "completed");

    const nobodyAsked = await operator.type(["retry", "--tag", "lot=a"]);
    expect(nobodyAsked).toMatchObject({ code: 2, out: "" });
    expect(nobodyAsked.err).toContain("retry 3 runs");
    expect(await operator.json(["retry", "--tag", "lot=a", "--dry-run"])).toMatchObject({
      operation: "retry",
      dryRun: true,
      runs: ids.map((id) => ({ id, workflow: "order", version: "1", status: "failed", refusal: null })),
    });
    const { out } = await operator.type(["retry", "fine", "o-1", "--dry-run"]);
    expect(out).toContain("would retry 1 run; nothing was changed");
    expect(out).toMatch(/fine\torder@1\tcompleted\tbe refused: it is completed/);
    expect(await operator.client.runs.count({ status: "failed" })).toBe(3);

    const some = await operator.type(["retry", "-", "--yes", "--json"], { input: "o-1\nfine\n\nnobody\n" });
    expect(some.code).toBe(4);
    expect(JSON.parse(some.out)).toMatchObject({
      done: ["o-1"],
      refused: [
        { id: "nobody", code: "RUN_NOT_FOUND" },
        { id: "fine", code: "RUN_STATE" },
      ],
      unknown: [],
      left: 0,
    });
    expect((await operator.type(["retry", "fine", "nobody", "--yes"])).code).toBe(1);
    expect((await operator.type(["retry", "nobody", "no", "--yes"])).code).toBe(3);
    expect(await operator.json(["retry", "--tag", "lot=a", "--limit", "1", "--yes"])).toMatchObject({
      done: ["o-2"],
    });
    expect((await operator.type(["retry", "--workflow", "order", "--yes"])).out).toBe("retried 1 run\n");
    expect((await operator.type(["retry", "--workflow", "order", "--yes"])).out).toBe("no run to retry\n");
    for (const words of [["retry"], ["retry", "o-1", "--tag", "lot=a"], ["retry", "--tag", "lot"]])
      expect((await operator.type(words)).code).toBe(2);
  });

  test("whole workflows: paused and resumed by name", async () => {
    const operator = new Operator(kind);
    const { waiting } = shop();
    await operator.worker(waiting);
    expect((await operator.type(["pause", "--workflow", "wating", "--yes"])).code).toBe(3);
    expect((await operator.type(["pause", "--workflow", "waiting"])).code).toBe(2);
    const paused = await operator.json(["pause", "--workflow", "waiting", "--because", "prices", "--yes"]);
    expect(paused).toEqual({ operation: "pause", workflow: "waiting", dryRun: false, live: 0 });
    await operator.type(["start", "waiting", "1", "--id", "w"]);
    expect(await operator.client.runs.why("w")).toContain("prices");
    expect((await operator.type(["resume", "--workflow", "waiting", "--dry-run"])).out).toContain(
      "would resume",
    );
    expect((await operator.type(["resume", "--workflow", "waiting", "--yes"])).code).toBe(0);
    const again = await operator.type(["resume", "--workflow", "waiting", "--yes"]);
    expect(again.code).toBe(1);
    expect(again.err).toContain("--status stuck");
    // With another filter its runs are meant.
    await operator.until("w", "waiting");
    expect((await operator.type(["pause", "--workflow", "waiting", "--status", "waiting"])).out).toBe(
      "paused 1 run\n",
    );
  });

  test("emit: the runs that it started", async () => {
    const operator = new Operator(kind);
    await operator.worker(workflow({ name: "listener", on: "order:done" }, () => "heard"));
    const emitted = { operation: "emit", event: "order:done", runs: ["order:done/7/listener"] };
    expect(await operator.json(["emit", "order:done", '{"id":7}', "--id", "7"])).toEqual(emitted);
    expect(await operator.json(["emit", "order:done", '{"id":7}', "--id", "7"])).toEqual(emitted);
    expect((await operator.type(["emit", "order:done", '{"id":8}', "--id", "7"])).code).toBe(1);
    expect((await operator.type(["emit", "nothing"])).out).toBe(
      "emitted nothing: no workflow listens to it\n",
    );
    await operator.until("order:done/7/listener", "completed");
  });

  test("export and import: into another store, and nothing else", async () => {
    const operator = new Operator(kind);
    const other = new Operator(kind === "sqlite" ? "postgres" : "sqlite");
    await other.client.runs.count();
    const { waiting } = shop();
    for (const id of ["w-1", "w-2"]) await operator.client.start("waiting", { secret: id }, { id });
    const both = await operator.type(["export", "w-1", "-"], { input: "w-2\n" });
    expect(both.out.trim().split("\n")).toHaveLength(2);
    expect(await operator.type(["export", "w-1", "--out", "w-1.json"])).toMatchObject({ code: 0 });
    expect((await operator.type(["export", "w-1", "--out", "w-1.json"])).err).toContain("never written over");
    // The command of the other store, in the directory of this one.
    const here = ["--store", other.url];
    expect(await operator.json([...here, "import", "w-1.json"])).toEqual({
      operation: "import",
      done: ["w-1"],
      refused: [],
    });
    expect((await operator.type([...here, "import", "w-1.json"])).err).toContain("exists already");
    const rest = await operator.type([...here, "import", "-"], { input: both.out });
    expect(rest.code).toBe(4);
    expect(rest.out).toContain("imported 1 run\nstandard input, line 1: ");
    expect((await operator.type([...here, "import", "-"], { input: `${both.out}{\n` })).code).toBe(2);
    await other.worker(waiting);
    await other.type(["signal", "w-2", "go"]);
    await other.until("w-2", "completed");
  });

  test("move and check: runs and the code that is to come", async () => {
    const operator = new Operator(kind);
    const v1 = [
      workflow({ name: "renamed" }, async (ctx) => {
        await ctx.step("charge", () => 1);
        await ctx.waitForSignal("go");
      }),
      workflow({ name: "retired" }, async (ctx) => {
        await ctx.waitForSignal("go");
      }),
      workflow({ name: "kept" }, async (ctx) => {
        await ctx.waitForSignal("go");
      }),
      workflow({ name: "elsewhere" }, async (ctx) => {
        await ctx.waitForSignal("go");
      }),
    ];
    const worker = await operator.worker(...v1);
    for (const { name } of v1) await operator.client.start(name, null, { id: `${name}-1` });
    for (const { name } of v1) await operator.until(`${name}-1`, "waiting");
    await worker.stop();

    const printed = vi.spyOn(console, "error").mockReturnValue();
    onTestFinished(() => printed.mockRestore());
    const before = await Promise.all(v1.map(({ name }) => operator.store.read(`${name}-1`)));
    const checked = await operator.type(["check", "--workflows", WORKFLOWS, "--json"]);
    expect(checked.code).toBe(1);
    expect(JSON.parse(checked.out)).toMatchObject({
      checked: 3,
      fit: 1,
      mended: [],
      others: 1,
      findings: [
        { id: "renamed-1", verdict: "diverges", at: { seq: 1, kind: "step", key: "charge" } },
        {
          id: "retired-1",
          verdict: "no-code",
          remedy: expect.stringContaining("everstep move retired-1 --to 2") as string,
        },
      ],
    });
    expect((await operator.type(["check", "--workflows", WORKFLOWS, "--workflow", "kept"])).code).toBe(0);
    expect(printed).toHaveBeenCalledWith("printed outside of any step");
    const after = await Promise.all(v1.map(({ name }) => operator.store.read(`${name}-1`)));
    expect(after.map((details) => details?.run)).toEqual(before.map((details) => details?.run));

    const moved = await operator.type(["move", "retired-1", "--workflows", WORKFLOWS]);
    expect(moved).toMatchObject({ code: 0, out: "moved retired-1\n" });
    const ambiguous = await operator.type(["move", "renamed-1", "--workflows", WORKFLOWS]);
    expect(ambiguous).toMatchObject({ code: 1 });
    expect(ambiguous.err).toContain("--to");
    expect((await operator.type(["move", "renamed-1", "--workflows", WORKFLOWS, "--to", "3"])).code).toBe(1);
    expect((await operator.type(["move", "renamed-1", "--workflows", WORKFLOWS, "--to", "2"])).code).toBe(0);
    expect((await operator.type(["check", "--workflows", WORKFLOWS])).code).toBe(0);
  });

  test("S8: check and move read sealed runs with the codec that the module exports", async () => {
    const operator = new Operator(kind);
    const { codec, sealed } = await import("./support/shop-sealed.ts");
    const client = new Client({ store: operator.store, codec });
    await client.start(sealed, { secret: "canary" }, { id: "s" });
    const worker = new Worker({ store: operator.store, codec, workflows: [sealed] });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    await operator.until("s", "waiting");
    await worker.stop();
    const [module, other] = ["sealed", "unsealed"].map((name) =>
      join(import.meta.dirname, `support/shop-${name}.ts`),
    );
    expect(await operator.json(["check", "--workflows", module ?? ""])).toMatchObject({ checked: 1, fit: 1 });
    const unreadable = await operator.type(["check", "--workflows", other ?? "", "--json"]);
    expect(unreadable.code).toBe(1);
    expect(JSON.parse(unreadable.out)).toMatchObject({ findings: [{ id: "s", verdict: "unreadable" }] });
    expect(unreadable.out).not.toContain("canary");
    const codecOf = ["--codec", module ?? ""];
    expect((await operator.type([...codecOf, "check", "--workflows", other ?? ""])).code).toBe(0);
    expect((await operator.type([...codecOf, "signal", "s", "go", '"canary"'])).code).toBe(0);
    expect((await operator.type(["export", "s"])).out).not.toContain("canary");
  });

  test("a run that a worker executes now: its worker does it, or it is refused with the way out", async () => {
    const operator = new Operator(kind);
    const { promise: reply, resolve: answer } = Promise.withResolvers<string>();
    onTestFinished(() => answer("too late"));
    const began = vi.fn<() => Promise<string>>(() => reply);
    await operator.worker(
      workflow({ name: "calling" }, async (ctx) => {
        await ctx.step("before", () => "done");
        const said = await ctx.step("call", began);
        await ctx.waitForSignal("go");
        return said;
      }),
    );
    await operator.client.start("calling", null, { id: "c" });
    await eventually("its body executes", () => began.mock.calls.length === 1);
    for (const words of [
      ["resolve", "c", "call", "--result", "1"],
      ["skip", "c", "call"],
      ["rewind", "c", "--to", "before", "--yes"],
    ]) {
      const { code, out, err } = await operator.type(words);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(/pause it first/);
      expect((await operator.type([...words, "--dry-run"])).out).toContain("refused: ");
    }
    expect((await operator.type(["resume", "c"])).err).toContain("only a stuck or paused run");
    expect((await operator.type(["pause", "c"])).code).toBe(0);
    answer("the reply");
    await operator.until("c", "waiting");
    expect((await operator.type(["resume", "c"])).code).toBe(0);
    expect((await operator.type(["signal", "c", "go"])).code).toBe(0);
    await operator.until("c", "completed");
    expect(await operator.client.get("c").result()).toBe("the reply");
    expect(began).toHaveBeenCalledTimes(1);
  });

  test("migrate: the plan, the SQL, and the tables", async () => {
    const operator = new Operator(kind);
    const fresh = kind === "sqlite" ? join(operator.cwd, "fresh.db") : operator.url;
    const on = ["--store", fresh];
    const version = { from: 0, to: 1, applied: false, file: null };
    expect(await operator.json([...on, "migrate"])).toMatchObject(version);
    expect((await operator.type([...on, "migrate", "--sql"])).out).toContain("CREATE TABLE");
    const written = await operator.json([...on, "migrate", "--sql", "plan.sql"]);
    expect(written).toMatchObject({ ...version, file: join(operator.cwd, "plan.sql") });
    expect(await operator.json([...on, "migrate", "--apply"])).toMatchObject({ ...version, applied: true });
    expect((await operator.type([...on, "migrate"])).out).toContain("as this build needs it");
    expect((await operator.type([...on, "migrate", "--sql"])).out).toBe("");
  });
});
