import assert from "node:assert/strict";
import { type Bench, type Cases, kinds } from "./bench.ts";
import {
  advance,
  cancel,
  entry,
  FAR_AWAY,
  HOUR_MS,
  LONG_AGO,
  park,
  RELEASE,
  signal,
  start,
  stick,
} from "./writes.ts";

async function interrupted(bench: Bench): Promise<boolean> {
  return (await bench.read("a")).run.interrupted;
}

export const parking: Cases = {
  "S6: a parked run is nobody's and says what it waits for": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const waits = [
      { kind: "signal", key: "approval", until: FAR_AWAY },
      { kind: "timer", key: "nap#2", until: FAR_AWAY + 1 },
      { kind: "retry", key: "charge", until: null },
    ] as const;
    const then = park(0, { dueAt: FAR_AWAY, waits });
    assert.deepEqual(await worker.commit(advance(run, { entries: [entry(1)], then })), [{ is: "done" }]);
    const { run: parked, owner } = await bench.read("a");
    assert.deepEqual([parked.owner, owner, parked.dueAt, parked.waits], [null, null, FAR_AWAY, waits]);
    assert.equal(await bench.statusOf("a"), "waiting");
    assert.deepEqual(await worker.claimIds(), []);
  },

  "S6 F12 F120: with a message that its owner has not seen a run is not parked, but its entries stay": async (
    bench,
  ) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const write = advance(run, { entries: [entry(1)], tags: { seen: "no" }, then: park(0) });
    assert.deepEqual(await worker.commit(write), [{ is: "inbox-changed" }]);
    const { run: owned, journal } = await bench.read("a");
    assert.deepEqual([owned.owner, owned.attempt, owned.inbox], [worker.id, 1, 1]);
    assert.deepEqual([journal.length, owned.tags["seen"]], [1, "no"]);
    const [outcome] = await worker.commit(advance(run, { entries: [entry(2)], then: park(1) }));
    assert.deepEqual(outcome, { is: "done" });
  },

  "S6 F120: also with a cancel, and also when it came a moment before in the same batch": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(cancel("a", "1"), advance(run, { then: park(0) }));
    assert.deepEqual(kinds(outcomes), ["done", "inbox-changed"]);
    assert.equal(await bench.statusOf("a"), "running");
  },

  "S6 F120: a message that came a moment after in the same batch makes it due": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(advance(run, { then: park(0) }), signal("a", "1"));
    assert.deepEqual(kinds(outcomes), ["done", "done"]);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "S6: messages that were consumed count as seen": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const [message] = (await bench.read("a")).messages;
    const consumed = { entries: [entry(1, { kind: "signal" })], consume: [[message?.no ?? 0, 1]] } as const;
    assert.deepEqual(kinds(await worker.commit(advance(run, { ...consumed, then: park(1) }))), ["done"]);
    assert.equal((await bench.read("a")).run.inbox, 1);
    assert.equal(await bench.statusOf("a"), "waiting");
  },

  "S6: a duplicate does not keep a run from being parked": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    await bench.commit(signal("a", "1"));
    assert.deepEqual(kinds(await worker.commit(advance(run, { then: park(1) }))), ["done"]);
  },

  "S6 F12 F120: whichever of park and message comes first, no message is slept over": async (bench) => {
    const second = await bench.second();
    const worker = await bench.join();
    const ids = Array.from({ length: 100 }, (_, index) => `run-${index}`);
    await worker.bear(...ids);
    const racing = ids.flatMap((runId, index) => {
      const parks = (): unknown => worker.commit(advance({ runId, attempt: 1 }, { then: park(0) }));
      const sends = (): unknown => second.commit({ writes: [signal(runId, "1")] });
      return index % 2 === 0 ? [parks(), sends()] : [sends(), parks()];
    });
    await Promise.all(racing);
    for (const id of ids) {
      const { run } = await bench.read(id);
      assert.equal(run.inbox, 1);
      assert.ok(run.owner === worker.id || run.dueAt !== null, `${id} sleeps over its message`);
    }
  },

  "F12 F119: a parked run is due from its instant on": async (bench) => {
    const worker = await bench.join();
    await worker.bear("soon", "late", "past");
    const soonAt = (await worker.renew()).now + 100;
    await worker.commit(
      advance({ runId: "soon", attempt: 1 }, { then: park(0, { dueAt: soonAt }) }),
      advance({ runId: "late", attempt: 1 }, { then: park(0, { dueAt: soonAt + HOUR_MS }) }),
      advance({ runId: "past", attempt: 1 }, { then: park(0, { dueAt: LONG_AGO }) }),
    );
    assert.deepEqual(await worker.claimIds({ limit: 1 }), ["past"]);
    await bench.eventually("the other run is claimed", async () => {
      const { claims, now } = await worker.claim();
      assert.equal(claims.length, soonAt <= now ? 1 : 0, `due at ${soonAt}, and it is ${now}`);
      if (claims.length === 0) await bench.pass(50);
      return claims.length === 1;
    });
    assert.equal(await bench.statusOf("late"), "waiting");
  },

  "S6: a run that waits without end is due for a message only": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: park(0) }));
    await bench.pass(50);
    assert.deepEqual(await worker.claimIds(), []);
    await bench.commit(signal("a", "1"));
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "F17: a run that is released is due at once, without a strike": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { entries: [entry(1)], then: RELEASE }));
    const { run, now } = await bench.read("a");
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
    assert.deepEqual([run.owner, run.strikes, run.strikesAlone, run.interrupted], [null, 0, 0, false]);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "F5: a release may say that a body was cut off": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { then: { do: "release", interrupted: true } }));
    assert.equal((await bench.read("a")).run.interrupted, true);
  },

  "S6: a release does not look at the inbox": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    assert.deepEqual(kinds(await worker.commit(advance(run, { then: RELEASE }))), ["done"]);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "P1: a stuck run says why, and is left alone": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const note = { code: "DIVERGED", message: '"seq 3"', key: "charge#2", at: LONG_AGO + 5 };
    await worker.commit(advance(run, { entries: [entry(1)], then: stick(note) }));
    const { run: stuck } = await bench.read("a");
    assert.deepEqual([stuck.stuck, stuck.owner, stuck.dueAt, stuck.phase], [note, null, null, "forward"]);
    assert.equal(await bench.statusOf("a"), "stuck");
    await bench.pass(50);
    assert.deepEqual(await worker.claimIds(), []);
  },

  "P1: a stuck note without a key is read back without one": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: stick() }));
    assert.deepEqual((await bench.read("a")).run.stuck, { code: "BUG", message: '"a bug"', at: LONG_AGO });
  },

  "F5: `interrupted` lasts until the run is let go in order": async (bench) => {
    const victim = await bench.joinMortal();
    const run = await victim.bear("a");
    const heir = await bench.outlive(victim);
    assert.equal(await interrupted(bench), true);
    const taken = await heir.own("a");
    assert.equal(taken.attempt, run.attempt + 1);
    await heir.commit(advance(taken, { entries: [entry(1)], progressed: true }));
    assert.equal(await interrupted(bench), true, "progress alone says nothing about the other bodies");
    await heir.commit(advance(taken, { then: park(0, { dueAt: LONG_AGO }) }));
    assert.equal(await interrupted(bench), false, "parked");
  },

  "F5: a release ends `interrupted`, but not a park that was refused": async (bench) => {
    const victim = await bench.joinMortal();
    await victim.bear("a");
    const heir = await bench.outlive(victim);
    const run = await heir.own("a");
    await bench.commit(signal("a", "1"));
    await heir.commit(advance(run, { then: park(0) }));
    assert.equal(await interrupted(bench), true);
    await heir.commit(advance(run, { then: RELEASE }));
    assert.equal(await interrupted(bench), false);
  },

  "F5: a run that got stuck after a crash is still `interrupted`": async (bench) => {
    const victim = await bench.joinMortal();
    await victim.bear("a");
    const heir = await bench.outlive(victim);
    await heir.commit(advance(await heir.own("a"), { then: stick() }));
    assert.equal(await interrupted(bench), true);
  },

  "S6: what a run waited for is history once it is claimed": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("b"));
    const waits = [{ kind: "signal", key: "approval", until: null }] as const;
    await worker.commit(advance(await worker.bear("a"), { then: park(0, { waits }) }));
    await bench.commit(signal("a", "1"));
    const run = await worker.own("a");
    assert.deepEqual((await bench.read("a")).run.waits, []);
    await worker.commit(advance(run, { then: RELEASE }));
    assert.deepEqual((await bench.read("a")).run.waits, []);
  },
};
