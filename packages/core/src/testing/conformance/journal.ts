import assert from "node:assert/strict";
import type { AdvanceWrite, EntryKind, NewEntry } from "../../store.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import {
  advance,
  end,
  entries,
  entry,
  LONG_AGO,
  park,
  RELEASE,
  retry,
  signal,
  start,
  stick,
  written,
} from "./writes.ts";

const KINDS: readonly EntryKind[] = [
  ...([
    "step",
    "timer",
    "signal",
    "started",
    "pivot",
    "patched",
    "cancel",
    "unwinding",
    "undo",
    "resume",
  ] as const),
  "end",
];

async function retryKeys(bench: Bench, runId: string): Promise<string[]> {
  return (await bench.read(runId)).retries.map(({ key }) => key).toSorted();
}

export const journal: Cases = {
  "S4: entries are read back as they were written, with the attempt": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const error = { key: "charge", at: LONG_AGO + 2 };
    const wrote: NewEntry[] = [
      entry(1, { key: 'ship["x"]', at: LONG_AGO }),
      { seq: 2, kind: "step", ...error, error: '{"message":"declined"}' },
      { seq: 3, kind: "pivot", key: "", at: LONG_AGO + 2 },
    ];
    assert.deepEqual(await worker.commit(advance(run, { entries: wrote })), [{ is: "done" }]);
    assert.deepEqual(
      (await bench.read("a")).journal,
      wrote.map((one) => written(one)),
    );
  },

  "S4: a value or error that is undefined is none": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const { value: _, ...bare } = entry(1);
    await worker.commit(advance(run, { entries: [{ ...bare, value: undefined, error: undefined }] }));
    assert.deepEqual((await bench.read("a")).journal, [written(bare)]);
  },

  "S4: every kind of entry can be written": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const wrote = KINDS.map((kind, index) => entry(index + 1, { kind }));
    await worker.commit(advance(run, { entries: wrote }));
    assert.deepEqual(
      (await bench.read("a")).journal.map(({ kind }) => kind),
      KINDS,
    );
  },

  "S4: each entry bears the attempt that wrote it": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { entries: [entry(1)], then: RELEASE }));
    const again = await worker.own("a");
    await worker.commit(advance(again, { entries: [entry(2)] }));
    assert.deepEqual(
      (await bench.read("a")).journal.map(({ seq, attempt }) => [seq, attempt]),
      [
        [1, 1],
        [2, 2],
      ],
    );
  },

  "S4: seqs begin at 1 and leave no gap, within a write and between writes": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const attempts = [
      [entry(2)],
      [entry(0)],
      [entry(1), entry(3)],
      [entry(1), entry(1)],
      [entry(2), entry(1)],
    ];
    for (const wrong of attempts) {
      assert.deepEqual(kinds(await worker.commit(advance(run, { entries: wrong }))), ["refused"]);
    }
    assert.deepEqual((await bench.read("a")).journal, []);
    await worker.commit(advance(run, { entries: entries(1, 2) }));
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(2)] }))), ["refused"]);
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(4)] }))), ["refused"]);
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(3)] }))), ["done"]);
    assert.deepEqual(
      (await bench.read("a")).journal,
      entries(1, 3).map((one) => written(one)),
    );
  },

  "S4: one batch can advance one run several times": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const writes = [1, 2, 3].map((seq) => advance(run, { entries: [entry(seq)] }));
    assert.deepEqual(kinds(await worker.commit(...writes)), ["done", "done", "done"]);
    assert.equal((await bench.read("a")).journal.length, 3);
  },

  "S1: one batch advances many runs, each by its own": async (bench) => {
    const worker = await bench.join();
    const ids = Array.from({ length: 50 }, (_, index) => `run-${index}`);
    await worker.bear(...ids);
    const writes = ids.map((runId) =>
      advance({ runId, attempt: 1 }, { entries: [entry(1, { value: `"${runId}"` })] }),
    );
    assert.deepEqual(new Set(kinds(await worker.commit(...writes))), new Set(["done"]));
    for (const id of ids) assert.equal((await bench.read(id)).journal[0]?.value, `"${id}"`);
  },

  "S4: phase and tags change with the entries": async (bench) => {
    const worker = await bench.join();
    await worker.commit(start("a", { claim: true, tags: { city: "Lisbon", kind: "tea" } }));
    const changes = {
      entries: [entry(1)],
      phase: "compensating",
      tags: { city: "Porto", count: "2" },
    } as const;
    await worker.commit(advance({ runId: "a", attempt: 1 }, changes));
    const { run } = await bench.read("a");
    assert.equal(run.phase, "compensating");
    assert.deepEqual({ ...run.tags }, { city: "Porto", kind: "tea", count: "2" });
    assert.equal(await bench.statusOf("a"), "compensating");
  },

  "F95: a retry row is kept until its step settles": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const person = retry("c", { nextAt: null, inDoubt: true });
    await worker.commit(advance(run, { retries: [retry("a"), retry("b"), person] }));
    const changed = retry("b", { failures: 2, error: '"timeout"', inDoubt: true, nextAt: LONG_AGO });
    await worker.commit(
      advance(run, { entries: [entry(1, { key: "a" })], settled: ["a"], retries: [changed] }),
    );
    assert.deepEqual(await retryKeys(bench, "a"), ["b", "c"]);
    await worker.commit(advance(run, { then: RELEASE }));
    const [claim] = (await worker.claim()).claims;
    assert.deepEqual(
      claim?.retries.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      [changed, person],
    );
  },

  "F95: a retry row without an error is read back without one": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const row = { key: "a", failures: 0, firstAt: LONG_AGO, nextAt: null, inDoubt: true };
    await worker.commit(advance(run, { retries: [row] }));
    assert.deepEqual((await bench.read("a")).retries, [row]);
  },

  "S8: a run that ends keeps its journal, has its result, and is nobody's": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { retries: [retry("x")] }));
    const last = entry(1, { kind: "end", key: "" });
    await worker.commit(advance(run, { entries: [last], then: end("completed", { result: '{"ok":true}' }) }));
    const { run: ended, journal, retries, now } = await bench.read("a");
    assert.deepEqual(
      [ended.phase, ended.end, ended.result, ended.error, ended.owner, ended.dueAt],
      ["done", "completed", '{"ok":true}', null, null, null],
    );
    assert.ok(ended.endedAt !== null && ended.endedAt >= ended.createdAt && ended.endedAt <= now, "endedAt");
    assert.deepEqual([journal, retries], [[written(last)], []]);
    assert.equal(await bench.statusOf("a"), "completed");
  },

  "S8: a run that fails has its error, one that is canceled may have neither": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    await worker.commit(
      advance({ runId: "a", attempt: 1 }, { then: end("failed", { error: '"declined"' }) }),
      advance({ runId: "b", attempt: 1 }, { then: end("canceled") }),
    );
    const [a, b] = [await bench.read("a"), await bench.read("b")];
    assert.deepEqual([a.run.end, a.run.error, a.run.result], ["failed", '"declined"', null]);
    assert.deepEqual([b.run.end, b.run.error, b.run.result], ["canceled", null, null]);
    // By itself, for which a store may have a shorter way.
    const alone = advance(
      { runId: "c", attempt: 1 },
      { entries: [entry(1)], then: end("failed", { error: '"out of tea"' }) },
    );
    await worker.commit(alone);
    const { run: c } = await bench.read("c");
    assert.deepEqual([c.end, c.error, c.result], ["failed", '"out of tea"', null]);
  },

  "S8: an ended run never changes": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { entries: [entry(1)], then: end("failed", { error: "1" }) }));
    const { now: _, capable: ____, ...before } = await bench.read("a");
    const late = [
      advance(run, { entries: [entry(2)], tags: { late: "yes" }, phase: "forward" }),
      advance(run, { then: end("completed") }),
      advance(run, { then: park(0) }),
      advance(run, { then: RELEASE }),
      advance(run, { then: stick() }),
    ];
    for (const write of late) assert.deepEqual(await worker.commit(write), [{ is: "fenced" }]);
    await worker.commit({ kind: "leave" });
    const { now: __, capable: ___, ...after } = await bench.read("a");
    assert.deepEqual(after, before);
    assert.deepEqual(await (await bench.join()).claimIds(), []);
  },

  "S1 F11: a message is consumed together with its entry, or not at all": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"), signal("a", "2"));
    const [first] = (await bench.read("a")).messages;
    const consume = [[first?.no ?? 0, 1]] as const;
    await worker.commit(advance(run, { entries: [entry(7)], consume }));
    assert.equal((await bench.read("a")).messages.length, 2, "the refused entry consumed nothing");
    await worker.commit(advance(run, { entries: [entry(1, { kind: "signal" })], consume }));
    const { run: after, messages } = await bench.read("a");
    assert.deepEqual([after.inbox, messages.map(({ id }) => id)], [2, ["2"]]);
    await worker.commit(advance(run, { then: RELEASE }));
    const [claim] = (await worker.claim()).claims;
    assert.deepEqual(
      claim?.messages.map(({ id }) => id),
      ["2"],
    );
  },

  "S7 F11: a message is consumed once, and only if it is there": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const no = (await bench.read("a")).messages[0]?.no ?? 0;
    const consumes = (seq: number, message: number): AdvanceWrite =>
      advance(run, { entries: [entry(seq, { kind: "signal" })], consume: [[message, seq]] });
    const outcomes = await worker.commit(consumes(1, no + 7), consumes(1, no), consumes(2, no));
    assert.deepEqual(kinds(outcomes), ["refused", "done", "refused"]);
    assert.deepEqual((await bench.read("a")).journal.length, 1);
  },

  "F93: a journal of 10,000 entries comes back in order": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    for (let from = 1; from <= 10_000; from += 1_000) {
      await worker.commit(advance(run, { entries: entries(from, from + 999) }));
    }
    await worker.commit(advance(run, { then: RELEASE }));
    const [claim] = (await worker.claim()).claims;
    // One by one: a diff of two such lists would cost more memory than there is.
    assert.equal(claim?.journal.length, 10_000);
    for (const [index, one] of entries(1, 10_000).entries()) {
      assert.deepEqual(claim.journal[index], written(one));
    }
  },
};
