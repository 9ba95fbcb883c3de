import assert from "node:assert/strict";
import type { Bench, Cases, Hand } from "./bench.ts";
import { advance, entry, type OwnedRun, park, RELEASE, start } from "./writes.ts";

async function strikesOf(bench: Bench, runId = "a"): Promise<readonly [all: number, alone: number]> {
  const { run } = await bench.read(runId);
  return [run.strikes, run.strikesAlone];
}

/** A worker claims the run, does something with it, and dies. */
async function dieOwning(
  bench: Bench,
  act?: (worker: Hand, run: OwnedRun) => Promise<unknown>,
): Promise<void> {
  const victim = await bench.joinMortal();
  const run = await victim.own("a");
  await act?.(victim, run);
  await bench.outlive(victim);
}

export const strikes: Cases = {
  "F19: every worker that dies owning a run is a strike": async (bench) => {
    await bench.commit(start("a"));
    for (const expected of [1, 2, 3]) {
      await dieOwning(bench);
      assert.deepEqual(await strikesOf(bench), [expected, 0]);
      assert.equal((await bench.read("a")).run.interrupted, true);
    }
  },

  "F20: every run that the dead worker owned is struck": async (bench) => {
    const victim = await bench.joinMortal();
    await victim.bear("a", "b");
    await bench.outlive(victim);
    assert.deepEqual(
      [await strikesOf(bench, "a"), await strikesOf(bench, "b")],
      [
        [1, 0],
        [1, 0],
      ],
    );
  },

  "F20: only a run that had the process to itself is struck as alone": async (bench) => {
    await bench.commit(start("a"));
    await dieOwning(bench, (worker, run) => worker.commit(advance(run, { alone: true })));
    assert.deepEqual(await strikesOf(bench), [1, 1]);
    await dieOwning(bench, async (worker, run) => {
      await worker.commit(advance(run, { alone: true }));
      await worker.commit(advance(run, { alone: false }));
    });
    assert.deepEqual(await strikesOf(bench), [2, 1]);
  },

  "F20: being alone lasts while nothing else is said, and ends with the claim": async (bench) => {
    await bench.commit(start("a"));
    await dieOwning(bench, async (worker, run) => {
      await worker.commit(advance(run, { alone: true }));
      await worker.commit(advance(run, { entries: [entry(1)] }));
    });
    assert.deepEqual(await strikesOf(bench), [1, 1]);
    await dieOwning(bench);
    assert.deepEqual(await strikesOf(bench), [2, 1]);
    await dieOwning(bench, async (worker, run) => {
      await worker.commit(advance(run, { alone: true, then: RELEASE }));
      await worker.own("a");
    });
    assert.deepEqual(await strikesOf(bench), [3, 1]);
  },

  "F20: progress clears a run of suspicion": async (bench) => {
    await bench.commit(start("a"));
    await dieOwning(bench, (worker, run) => worker.commit(advance(run, { alone: true })));
    const worker = await bench.join();
    const run = await worker.own("a");
    await worker.commit(advance(run, { entries: [entry(1)] }));
    assert.deepEqual(await strikesOf(bench), [1, 1], "not every entry is progress");
    await worker.commit(advance(run, { entries: [entry(2)], progressed: true }));
    assert.deepEqual(await strikesOf(bench), [0, 0]);
  },

  "F19: neither a claim nor a park nor a release clears it": async (bench) => {
    await bench.commit(start("a"));
    await dieOwning(bench, (worker, run) => worker.commit(advance(run, { alone: true })));
    const worker = await bench.join();
    await worker.commit(advance(await worker.own("a"), { then: RELEASE }));
    assert.deepEqual(await strikesOf(bench), [1, 1]);
    await worker.commit(advance(await worker.own("a"), { then: park(0, { dueAt: 1 }) }));
    assert.deepEqual(await strikesOf(bench), [1, 1]);
  },

  "F17: wake-ups and releases are no strikes": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("a"));
    for (let round = 0; round < 5; round++) {
      const then = round % 2 === 0 ? RELEASE : park(0, { dueAt: 1 });
      await worker.commit(advance(await worker.own("a"), { then }));
    }
    assert.deepEqual(await strikesOf(bench), [0, 0]);
  },
};
