import assert from "node:assert/strict";
import { type Bench, type Cases, type Hand, kinds } from "./bench.ts";
import {
  advance,
  end,
  entry,
  FAR_AWAY,
  HOUR_MS,
  LONG_AGO,
  ORDER,
  type OwnedRun,
  park,
  RELEASE,
  retry,
  signal,
  start,
  stick,
  written,
} from "./writes.ts";

const dueAt = (at: number) => ({ due: { at: LONG_AGO + at } });

const RUNS = 1_000;

/** Claims in small bites until nothing is left. */
async function claimAll(worker: Hand, limit: number): Promise<OwnedRun[]> {
  const all: OwnedRun[] = [];
  for (let before = -1; before < all.length; ) {
    assert.ok(all.length <= RUNS, "a claim gives out each run once");
    before = all.length;
    const { claims } = await worker.claim({ limit });
    all.push(...claims.map(({ run }) => ({ runId: run.id, attempt: run.attempt })));
  }
  return all;
}

async function startMany(bench: Bench, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `run-${index}`);
  for (let from = 0; from < count; from += 100) {
    await bench.commit(...ids.slice(from, from + 100).map((id) => start(id)));
  }
  return ids;
}

export const claims: Cases = {
  "S5: a claim comes with all that is needed to go on": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1", { payload: '"x"' }));
    await worker.commit(advance(run, { entries: [entry(1)], retries: [retry("x")], then: RELEASE }));
    const before = await bench.read("a");
    const other = await bench.join();
    const { claims, now } = await other.claim();
    const claimed = { ...before.run, owner: other.id, attempt: 2, dueAt: null };
    assert.deepEqual(claims, [
      { run: claimed, journal: [written(entry(1))], messages: before.messages, retries: [retry("x")] },
    ]);
    assert.ok(now >= before.now, "S9: the store's clock");
    const { now: _, owner, capable: __, workflowPaused, ...after } = await bench.read("a");
    assert.deepEqual(
      [after, owner?.id, workflowPaused],
      [claims[0], other.id, null],
      "what is read afterwards is what was claimed",
    );
  },

  "S5: every claim makes a greater attempt; `startedAt` stays that of the first": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("a"));
    const attempts: number[] = [];
    const startedAts = new Set<number | null>();
    for (let round = 0; round < 4; round++) {
      const run = await worker.own("a");
      attempts.push(run.attempt);
      startedAts.add((await bench.read("a")).run.startedAt);
      await bench.pass(2);
      await worker.commit(advance(run, { then: RELEASE }));
    }
    assert.deepEqual(attempts, [1, 2, 3, 4]);
    assert.equal(startedAts.size, 1);
    assert.notEqual([...startedAts][0], null);
  },

  "S5: what is owned, stuck, ended or not due is not claimed": async (bench) => {
    const worker = await bench.join();
    await worker.bear("owned", "stuck", "ended", "parked", "asleep");
    const let_go = [
      ["stuck", stick()],
      ["ended", end()],
      ["parked", park(0)],
      ["asleep", park(0, { dueAt: FAR_AWAY })],
    ] as const;
    await worker.commit(...let_go.map(([runId, then]) => advance({ runId, attempt: 1 }, { then })));
    await bench.commit(start("later", { due: { inMs: HOUR_MS } }), start("due"));
    assert.deepEqual(await (await bench.join()).claimIds(), ["due"]);
    assert.deepEqual(await worker.claimIds(), []);
  },

  "F72: priority goes first, then what is due longest": async (bench) => {
    await bench.commit(
      start("plain-3", dueAt(3)),
      start("low", { priority: -1, ...dueAt(0) }),
      start("urgent", { priority: 10, ...dueAt(9) }),
      start("plain-1", dueAt(1)),
      start("urgent-first", { priority: 10, ...dueAt(8) }),
      start("plain-2", dueAt(2)),
    );
    const ids = await (await bench.join()).claimIds();
    assert.deepEqual(ids, ["urgent-first", "urgent", "plain-1", "plain-2", "plain-3", "low"]);
  },

  "F71: no more than `limit`, the first ones first": async (bench) => {
    const worker = await bench.join();
    await bench.commit(...[5, 4, 3, 2, 1].map((at) => start(`run-${at}`, dueAt(at))));
    assert.deepEqual(await worker.claimIds({ limit: 2 }), ["run-1", "run-2"]);
    assert.deepEqual(await worker.claimIds({ limit: 0 }), []);
    assert.deepEqual(await worker.claimIds({ limit: 2 }), ["run-3", "run-4"]);
    assert.deepEqual(await worker.claimIds({ limit: 2 }), ["run-5"]);
    assert.deepEqual(await worker.claimIds({ limit: 2 }), []);
  },

  "F73 F74: a worker gets runs of its workflows in its versions, and leaves the others alone": async (
    bench,
  ) => {
    await bench.commit(
      start("a1"),
      start("a2", { version: "2" }),
      start("b1", { workflow: "refund" }),
      start("c1", { workflow: "order2" }),
    );
    const worker = await bench.join();
    assert.deepEqual(await worker.claimIds({ workflows: [] }), []);
    const mixed = [
      { name: "order", version: "2" },
      { name: "refund", version: "1" },
      { name: "ship", version: "1" },
    ];
    assert.deepEqual((await worker.claimIds({ workflows: mixed })).toSorted(), ["a2", "b1"]);
    assert.deepEqual(await worker.claimIds({ workflows: [{ name: "order", version: "3" }] }), []);
    assert.deepEqual(await worker.claimIds(), ["a1"]);
    assert.equal(await bench.statusOf("c1"), "ready");
  },

  "F91: runs in `except` are left, whatever their place": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("a", dueAt(1)), start("b", dueAt(2)), start("c", dueAt(3)));
    assert.deepEqual(await worker.claimIds({ except: ["a", "nobody"], limit: 1 }), ["b"]);
    assert.deepEqual(await worker.claimIds({ except: ["a"] }), ["c"]);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "F71: `nextDueAt` says when to come back": async (bench) => {
    const worker = await bench.join();
    assert.equal((await worker.claim()).nextDueAt, null, "nothing at all");
    await bench.commit(start("far", { due: { at: FAR_AWAY } }), start("near", { due: { at: FAR_AWAY - 1 } }));
    assert.equal((await worker.claim()).nextDueAt, FAR_AWAY - 1);
    await bench.commit(start("now-1"), start("now-2"));
    const met = await worker.claim({ limit: 1 });
    assert.ok(met.nextDueAt !== null && met.nextDueAt <= met.now, "more is due now");
    assert.equal((await worker.claim()).nextDueAt, FAR_AWAY - 1);
  },

  "F71: `nextDueAt` does not speak of runs that this claim could never take": async (bench) => {
    const worker = await bench.join();
    await worker.bear("owned", "stuck", "parked");
    await worker.commit(
      advance({ runId: "stuck", attempt: 1 }, { then: stick() }),
      advance({ runId: "parked", attempt: 1 }, { then: park(0) }),
    );
    await bench.commit(
      start("other", { workflow: "refund" }),
      start("version", { version: "2" }),
      start("excepted"),
    );
    assert.equal((await worker.claim({ except: ["excepted"] })).nextDueAt, null);
    assert.equal((await worker.claim({ limit: 0, workflows: [] })).nextDueAt, null);
  },

  "S5 F65: 1,000 runs and 50 claimers in two processes: each run is claimed by one": async (bench) => {
    const stores = [bench.store, await bench.second()];
    const ids = await startMany(bench, RUNS);
    const workers = await Promise.all(ids.slice(0, 50).map((_, index) => bench.join({}, stores[index % 2])));
    const shares = await Promise.all(workers.map((worker) => claimAll(worker, 7)));
    const claimed = shares.flat();
    assert.deepEqual(claimed.map(({ runId }) => runId).toSorted(), ids.toSorted());
    assert.deepEqual(new Set(claimed.map(({ attempt }) => attempt)), new Set([1]));
    for (const [index, share] of shares.entries()) {
      const owners = await Promise.all(
        share.slice(0, 3).map(async ({ runId }) => (await bench.read(runId)).run.owner),
      );
      assert.deepEqual(new Set(owners), new Set(share.length === 0 ? [] : [workers[index]?.id]));
    }
  },

  "S5 F65: a run that is started while others claim is claimed by one": async (bench) => {
    const second = await bench.second();
    const [one, two] = [await bench.join(), await bench.join({}, second)];
    const claimed: string[] = [];
    for (let round = 0; round < 20; round++) {
      const [, first, other] = await Promise.all([
        bench.commit(start(`run-${round}`)),
        one.claimIds(),
        two.claimIds(),
      ]);
      claimed.push(...first, ...other);
    }
    claimed.push(...(await one.claimIds()));
    assert.equal(new Set(claimed).size, 20);
    assert.equal(claimed.length, 20);
  },

  "F74: a claim asks for workflows by name and version together": async (bench) => {
    await bench.commit(
      start("a", { workflow: "x", version: "2" }),
      start("b", { workflow: "y", version: "1" }),
    );
    const crossed = [
      { name: "x", version: "1" },
      { name: "y", version: "2" },
    ];
    const worker = await bench.join();
    assert.deepEqual(await worker.claimIds({ workflows: crossed }), []);
    assert.deepEqual(kinds(await worker.commit(start("c", { claim: true, workflow: "z" }))), ["created"]);
    assert.equal((await bench.read("c")).capable, 0, `the worker joined with ${ORDER.name} only`);
  },
};
