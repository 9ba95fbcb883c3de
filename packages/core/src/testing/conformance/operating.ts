import assert from "node:assert/strict";
import { type Bench, type Cases, kinds } from "./bench.ts";
import {
  advance,
  end,
  entries,
  entry,
  FAR_AWAY,
  LONG_AGO,
  park,
  resume,
  retry,
  start,
  stick,
  written,
} from "./writes.ts";

/** A run that is stuck after a death of its worker, with two entries. */
async function getStuck(bench: Bench): Promise<void> {
  const victim = await bench.joinMortal();
  await victim.commit(advance(await victim.bear("a"), { entries: entries(1, 2), alone: true }));
  const heir = await bench.outlive(victim);
  const retries = [
    retry("asks", { failures: 9, nextAt: null, inDoubt: true, error: '"?"' }),
    retry("waits", { failures: 3, nextAt: FAR_AWAY }),
  ];
  await heir.commit(advance(await heir.own("a"), { retries, then: stick() }));
}

export const operating: Cases = {
  "P1: `resume` frees a stuck run, and its journal says who did it": async (bench) => {
    await getStuck(bench);
    const wish = resume("a", '{"by":"Ana"}');
    assert.deepEqual(await bench.commit(wish), [{ is: "done" }]);
    const { run, journal, now } = await bench.read("a");
    assert.equal(await bench.statusOf("a"), "ready");
    assert.deepEqual([run.stuck, run.strikes, run.strikesAlone], [null, 0, 0]);
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
    const last = journal.at(-1);
    assert.deepEqual(
      journal.slice(0, 2),
      entries(1, 2).map((one) => written(one)),
    );
    assert.deepEqual([last?.seq, last?.kind, last?.key, last?.value], [3, "resume", wish.id, '{"by":"Ana"}']);
    assert.ok(last !== undefined && last.at >= LONG_AGO + 2 && last.at <= now, "at the store's time");
    assert.deepEqual(await (await bench.join()).claimIds(), ["a"]);
  },

  "S7 F38: `resume` whose answer got lost is answered the same, and resumes once": async (bench) => {
    await getStuck(bench);
    const wish = resume("a");
    assert.deepEqual(await bench.commit(wish), [{ is: "done" }]);
    assert.deepEqual(await bench.commit(wish), [{ is: "done" }]);
    const worker = await bench.join();
    await worker.commit(advance(await worker.own("a"), { then: stick() }));
    assert.deepEqual(await bench.commit(wish), [{ is: "done" }]);
    assert.equal(await bench.statusOf("a"), "stuck", "another time needs another wish");
    assert.deepEqual(await bench.commit(resume("a")), [{ is: "done" }]);
    assert.equal((await bench.read("a")).journal.filter(({ kind }) => kind === "resume").length, 2);
  },

  "P3: `resume` starts anew what needs a person, and what is in doubt stays so": async (bench) => {
    await getStuck(bench);
    await bench.commit(resume("a"));
    const { run, retries, now } = await bench.read("a");
    const asks = retries.find(({ key }) => key === "asks");
    assert.deepEqual([asks?.failures, asks?.inDoubt, asks?.error], [0, true, '"?"']);
    assert.ok(typeof asks?.nextAt === "number" && asks.nextAt <= now, "due now");
    assert.equal(asks.firstAt, asks.nextAt, "`maxElapsed` counts anew");
    assert.deepEqual(
      retries.find(({ key }) => key === "waits"),
      retry("waits", { failures: 3, nextAt: FAR_AWAY }),
    );
    assert.equal(
      run.interrupted,
      false,
      "a person has looked: only a worker that dies from now on interrupts",
    );
  },

  "S4: the worker goes on after the entry of `resume`": async (bench) => {
    await getStuck(bench);
    await bench.commit(resume("a"));
    const worker = await bench.join();
    const run = await worker.own("a");
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(3)] }))), ["refused"]);
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(4)] }))), ["done"]);
  },

  "S4: an operator's entry is never before the ones that are there": async (bench) => {
    const worker = await bench.join();
    const ahead = entry(1, { at: FAR_AWAY });
    await worker.commit(advance(await worker.bear("a"), { entries: [ahead], then: stick() }));
    await bench.commit(resume("a"));
    const last = (await bench.read("a")).journal.at(-1);
    assert.ok(last !== undefined && last.at >= FAR_AWAY, "`at` never decreases within a run");
  },

  "P1: `resume` keeps the phase": async (bench) => {
    const worker = await bench.join();
    await worker.commit(
      advance(await worker.bear("a"), { phase: "compensating", then: stick({ code: "UNDO_FAILED" }) }),
    );
    await bench.commit(resume("a"));
    assert.equal((await bench.read("a")).run.phase, "compensating");
    assert.equal(await bench.statusOf("a"), "compensating");
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "F124: `resume` of a run that is not stuck changes nothing and says what it is": async (bench) => {
    const worker = await bench.join();
    await worker.bear("running", "waiting", "completed", "compensating");
    await worker.commit(
      advance({ runId: "waiting", attempt: 1 }, { then: park(0) }),
      advance({ runId: "completed", attempt: 1 }, { then: end() }),
      advance({ runId: "compensating", attempt: 1 }, { phase: "compensating" }),
    );
    await bench.commit(start("ready"));
    for (const status of ["running", "waiting", "completed", "compensating", "ready"] as const) {
      const { now: _, ...before } = await bench.read(status);
      assert.deepEqual(await bench.commit(resume(status)), [{ is: "wrong-state", status }]);
      const { now: __, ...after } = await bench.read(status);
      assert.deepEqual(after, before);
    }
    assert.deepEqual(await bench.commit(resume("nobody")), [{ is: "not-found" }]);
  },

  "F124: twenty operators who resume at once resume once": async (bench) => {
    const second = await bench.second();
    await getStuck(bench);
    const tried = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? bench.store : second).commit({ writes: [resume("a")] }),
    );
    const outcomes = kinds((await Promise.all(tried)).flat());
    assert.equal(outcomes.filter((is) => is === "done").length, 1);
    assert.equal(outcomes.filter((is) => is === "wrong-state").length, 19);
    assert.equal((await bench.read("a")).journal.length, 3);
  },
};
