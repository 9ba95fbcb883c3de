import assert from "node:assert/strict";
import type { RunRecord } from "../../store.ts";
import { type Cases, kinds } from "./bench.ts";
import { advance, end, FAR_AWAY, HOUR_MS, start } from "./writes.ts";

/** A run that was just started, with what its starter may choose. */
const GIVEN: Omit<RunRecord, "id" | "version" | "dueAt" | "createdAt"> = {
  workflow: "order",
  parent: null,
  event: null,
  raw: false,
  phase: "forward",
  end: null,
  owner: null,
  attempt: 0,
  stuck: null,
  paused: null,
  priority: 3,
  tags: { city: "Lisbon", "": "x" },
  input: '{"sku":"tea","count":2}',
  result: null,
  error: null,
  inbox: 0,
  strikes: 0,
  strikesAlone: 0,
  interrupted: false,
  waits: [],
  startedAt: null,
  endedAt: null,
  timeoutMs: 5_000,
};

export const starting: Cases = {
  "S1: a started run is read as it was given, and due": async (bench) => {
    const { input, priority, tags, timeoutMs } = GIVEN;
    const [outcome] = await bench.commit(start("a", { input, priority, tags, timeoutMs, version: "2" }));
    const { run, journal, messages, retries, owner, now } = await bench.read("a");
    assert.deepEqual(outcome, { is: "created", createdAt: run.createdAt, claimed: false });
    const { createdAt } = run;
    const expected: RunRecord = { ...GIVEN, id: "a", version: "2", dueAt: createdAt, createdAt };
    assert.deepEqual({ ...run, tags: { ...run.tags } }, expected);
    assert.ok(
      Number.isInteger(now) && run.createdAt <= now,
      "S9: created by the store's clock, in milliseconds",
    );
    assert.deepEqual([journal, messages, retries, owner], [[], [], [], null]);
    assert.equal(await bench.statusOf("a"), "ready");
  },

  "F1: the same id with the same input is the same run": async (bench) => {
    await bench.commit(start("a"));
    const before = await bench.read("a");
    assert.deepEqual(await bench.commit(start("a")), [{ is: "exists" }]);
    assert.deepEqual((await bench.read("a")).run, before.run);
    assert.equal(await bench.store.count({}), 1);
  },

  "F1: version, priority, tags and due date do not make it another run": async (bench) => {
    await bench.commit(start("a"));
    const before = await bench.read("a");
    const again = start("a", {
      version: "2",
      priority: 9,
      tags: { x: "y" },
      due: { inMs: HOUR_MS },
      timeoutMs: 1,
    });
    assert.deepEqual(await bench.commit(again), [{ is: "exists" }]);
    assert.deepEqual((await bench.read("a")).run, before.run);
  },

  "F1: the same id with another input is a conflict, and the first run is left alone": async (bench) => {
    await bench.commit(start("a"));
    const before = await bench.read("a");
    assert.deepEqual(await bench.commit(start("a", { input: "2" })), [{ is: "conflict", workflow: "order" }]);
    assert.deepEqual((await bench.read("a")).run, before.run);
  },

  "F1: the same id of another workflow is a conflict that names the one which has it": async (bench) => {
    await bench.commit(start("a"));
    assert.deepEqual(await bench.commit(start("a", { workflow: "refund" })), [
      { is: "conflict", workflow: "order" },
    ]);
  },

  "F1: the digest decides what the same input is, not its text, which may be encrypted": async (bench) => {
    await bench.commit(start("a", { input: '"sealed 1"', inputHash: "h" }));
    const [same, other] = await bench.commit(
      start("a", { input: '"sealed 2"', inputHash: "h" }),
      start("a", { input: '"sealed 1"', inputHash: "i" }),
    );
    assert.deepEqual([same, other], [{ is: "exists" }, { is: "conflict", workflow: "order" }]);
  },

  "F1: one batch can hold the same start twice": async (bench) => {
    assert.deepEqual(kinds(await bench.commit(start("a"), start("b"), start("a"))), [
      "created",
      "created",
      "exists",
    ]);
    assert.equal(await bench.store.count({}), 2);
  },

  "F1: two processes that start the same run at once make one": async (bench) => {
    const second = await bench.second();
    const tried = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? bench.store : second).commit({ writes: [start("a")] }),
    );
    const outcomes = kinds((await Promise.all(tried)).flat());
    assert.equal(outcomes.filter((is) => is === "created").length, 1);
    assert.equal(outcomes.filter((is) => is === "exists").length, 19);
  },

  "F1: a run that has ended still has its id": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: end() }));
    assert.deepEqual(kinds(await bench.commit(start("a"), start("a", { input: "2" }))), [
      "exists",
      "conflict",
    ]);
  },

  "S5: a claiming start is born owned, under attempt 1": async (bench) => {
    const worker = await bench.join();
    const [outcome] = await worker.commit(start("a", { claim: true }));
    const { run, owner } = await bench.read("a");
    assert.deepEqual(outcome, { is: "created", createdAt: run.createdAt, claimed: true });
    assert.deepEqual([run.owner, run.attempt, run.startedAt, run.dueAt], [worker.id, 1, run.createdAt, null]);
    assert.equal(owner?.id, worker.id);
    assert.equal(await bench.statusOf("a"), "running");
    assert.deepEqual(await (await bench.join()).claimIds(), [], "nobody else can claim it");
  },

  "S5: a start that does not claim leaves the run to anybody, also with a lease": async (bench) => {
    const worker = await bench.join();
    assert.deepEqual(kinds(await worker.commit(start("a"))), ["created"]);
    assert.equal((await bench.read("a")).run.owner, null);
  },

  "S5: a claiming start of a run that exists does not take it": async (bench) => {
    await bench.commit(start("a"));
    const worker = await bench.join();
    assert.deepEqual(await worker.commit(start("a", { claim: true })), [{ is: "exists" }]);
    assert.equal((await bench.read("a")).run.owner, null);
  },

  "S3: a claiming start of a worker that was taken over creates a run for anybody": async (bench) => {
    const worker = await bench.joinMortal();
    const heir = await bench.outlive(worker);
    const [outcome] = await worker.commit(start("a", { claim: true }));
    assert.ok(outcome?.is === "created" && !outcome.claimed, "created, not claimed");
    assert.equal((await bench.read("a")).run.attempt, 0);
    assert.deepEqual(await heir.claimIds(), ["a"]);
  },

  "F119: a run that starts later waits for its instant, whoever starts it": async (bench) => {
    const worker = await bench.join();
    const [later] = await worker.commit(
      start("later", { due: { inMs: HOUR_MS }, claim: true }),
      start("at", { due: { at: FAR_AWAY } }),
    );
    const { run } = await bench.read("later");
    assert.deepEqual(later, { is: "created", createdAt: run.createdAt, claimed: false });
    assert.equal(run.dueAt, run.createdAt + HOUR_MS);
    assert.equal((await bench.read("at")).run.dueAt, FAR_AWAY);
    assert.equal(await bench.statusOf("later"), "waiting");
    assert.deepEqual(await worker.claimIds(), []);
  },

  "F119: a run is due from its instant on": async (bench) => {
    await bench.commit(start("soon", { due: { inMs: 100 } }), start("past", { due: { at: 1 } }));
    const worker = await bench.join();
    const { dueAt } = (await bench.read("soon")).run;
    assert.equal((await worker.claim({ limit: 1 })).claims[0]?.run.id, "past");
    await bench.eventually("the other run is claimed", async () => {
      const { claims, now } = await worker.claim();
      const isClaimed = claims.some(({ run }) => run.id === "soon");
      assert.equal(isClaimed, dueAt !== null && dueAt <= now, `due at ${dueAt}, and it is ${now}`);
      if (!isClaimed) await bench.pass(50);
      return isClaimed;
    });
  },
};
