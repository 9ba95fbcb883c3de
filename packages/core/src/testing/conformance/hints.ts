import assert from "node:assert/strict";
import type { Hint } from "../../store.ts";
import { type Bench, type Cases, Skip } from "./bench.ts";
import {
  advance,
  emit,
  end,
  entries,
  EVENT,
  importing,
  mend,
  ORDER,
  park,
  pause,
  pauseWorkflow,
  RELEASE,
  resume,
  sendStart,
  signal,
  spec,
  start,
  stick,
} from "./writes.ts";

/** Waits for a hint that may be about the run, after `act` and not before. */
async function hintsAt(bench: Bench, runId: string, act: () => Promise<unknown>): Promise<void> {
  const heard: Hint[] = [];
  const stop = bench.store.watch((hint) => heard.push(hint));
  try {
    await act();
    await bench.eventually(`a hint about ${runId}`, () =>
      heard.some(({ runIds }) => runIds === undefined || runIds.includes(runId)),
    );
  } finally {
    stop();
  }
}

function needsHints(bench: Bench): void {
  if (!bench.hasHints) throw new Skip("it gives no hints");
}

export const hints: Cases = {
  "S10: hints tell of what is due: starts, messages, releases, resumes": async (bench) => {
    needsHints(bench);
    const worker = await bench.join();
    await hintsAt(bench, "a", () => bench.commit(start("a")));
    await worker.commit(advance(await worker.own("a"), { then: park(0) }));
    await hintsAt(bench, "a", () => bench.commit(signal("a", "1")));
    const run = await worker.own("a");
    await hintsAt(bench, "a", () => worker.commit(advance(run, { then: RELEASE })));
    await worker.commit(advance(await worker.own("a"), { then: stick() }));
    await hintsAt(bench, "a", () => bench.commit(resume("a")));
  },

  "S10: hints tell the owner of messages, and waiting clients of the end": async (bench) => {
    needsHints(bench);
    const worker = await bench.join();
    const run = await worker.bear("a");
    await hintsAt(bench, "a", () => bench.commit(signal("a", "1")));
    await hintsAt(bench, "a", () => worker.commit(advance(run, { then: end() })));
  },

  "S10 S12: hints tell of children's ends, events, pauses and repairs": async (bench) => {
    needsHints(bench);
    const worker = await bench.join({ workflows: [ORDER, spec("mail", "1", { on: EVENT })] });
    const parent = await worker.bear("parent");
    const sends = [sendStart(1, "child", { awaited: true })];
    const call = advance(parent, { entries: entries(1, 1, "call"), sends });
    await hintsAt(bench, "child", () => worker.commit(call));
    await hintsAt(bench, "parent", () => bench.commit(pause("parent")));
    await hintsAt(bench, "parent", () => bench.commit(resume("parent")));
    const child = await worker.own("child");
    await hintsAt(bench, "parent", () => worker.commit(advance(child, { then: end("failed") })));
    const read = await bench.read("child");
    await hintsAt(bench, "child", () => bench.commit(mend(read, { phase: "forward" })));
    await hintsAt(bench, `${EVENT}/e/mail`, () => bench.commit(emit("e")));
    await hintsAt(bench, "moved", () => bench.commit(importing("moved")));
    await bench.commit(pauseWorkflow("order"));
    await hintsAt(bench, "moved", () => bench.commit(pauseWorkflow("order", null)));
  },

  "S10: hints tell of runs whose worker died": async (bench) => {
    needsHints(bench);
    const victim = await bench.joinMortal();
    await victim.bear("a");
    await hintsAt(bench, "a", () => bench.outlive(victim));
  },

  "S10: who stopped watching hears nothing more, others do": async (bench) => {
    needsHints(bench);
    const heard: Hint[] = [];
    bench.store.watch((hint) => heard.push(hint))();
    await hintsAt(bench, "a", () => bench.commit(start("a")));
    assert.deepEqual(heard, []);
  },

  "S10: nothing is lost for those who hear no hint": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("a"));
    const run = await worker.own("a");
    await bench.commit(signal("a", "1"));
    const { inboxes } = await worker.claim({ limit: 0, inboxes: [{ runId: "a", after: 0 }] });
    assert.equal(inboxes[0]?.messages.length, 1);
    await worker.commit(advance(run, { then: end() }));
    assert.equal(await bench.statusOf("a"), "completed");
  },

  "S10: watching can be stopped twice, and after the store was closed": async (bench) => {
    const second = await bench.second();
    const stop = second.watch(() => {});
    stop();
    stop();
    const other = second.watch(() => {});
    await second.close();
    other();
  },
};
