import assert from "node:assert/strict";
import { type Bench, type Cases, kinds } from "./bench.ts";
import { advance, end, entry, park, retry, signal, start } from "./writes.ts";

/** Text that some databases can't hold. Encoded values never contain it, but nothing else stands before the store. */
const HARD_TEXTS: Readonly<Record<string, string>> = {
  NUL: '"a\u0000b"',
  "a lone high surrogate": '"a\ud800b"',
  "a lone low surrogate": '"a\udc00b"',
};

/** What a write did to a run that the store can't hold must be nothing at all. */
async function isUntouched(bench: Bench, runId: string): Promise<void> {
  const { run, journal, retries, messages } = await bench.read(runId);
  assert.deepEqual([journal, retries, messages, run.phase, { ...run.tags }], [[], [], [], "forward", {}]);
}

export const badRows: Cases = {
  "S1 F57: a write that is refused sinks itself only": async (bench) => {
    const worker = await bench.join();
    await worker.bear("good", "bad", "better");
    const outcomes = await worker.commit(
      start("new"),
      advance({ runId: "good", attempt: 1 }, { entries: [entry(1)] }),
      advance({ runId: "bad", attempt: 1 }, { entries: [entry(1), entry(3)] }),
      signal("good", "1"),
      advance({ runId: "better", attempt: 1 }, { entries: [entry(1)], then: end() }),
    );
    assert.deepEqual(kinds(outcomes), ["created", "done", "refused", "done", "done"]);
    assert.ok(outcomes[2]?.is === "refused" && outcomes[2].reason !== "", "it says why");
    await isUntouched(bench, "bad");
    assert.deepEqual(
      [(await bench.read("good")).journal.length, await bench.statusOf("better")],
      [1, "completed"],
    );
  },

  "S1 F57: nothing of a refused write happens": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const changes = { retries: [retry("x")], tags: { a: "b" }, phase: "closing", progressed: true } as const;
    for (const then of [park(0), end()]) {
      const [outcome] = await worker.commit(advance(run, { ...changes, entries: [entry(2)], then }));
      assert.equal(outcome?.is, "refused");
    }
    await isUntouched(bench, "a");
    assert.equal((await bench.read("a")).run.owner, worker.id);
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(1)] }))), ["done"]);
  },

  "S1: a run whose write was refused can be advanced in the same batch": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(
      advance(run, { entries: [entry(2)] }),
      advance(run, { entries: [entry(1)] }),
    );
    assert.deepEqual(kinds(outcomes), ["refused", "done"]);
  },

  "S1 F35 F103: text that is hard to hold is refused alone, or comes back as it was": async (bench) => {
    const worker = await bench.join();
    for (const [what, text] of Object.entries(HARD_TEXTS)) {
      const run = await worker.bear(what);
      const [hard, good] = await worker.commit(
        advance(run, { entries: [entry(1, { value: text })] }),
        start(`beside ${what}`),
      );
      assert.equal(good?.is, "created", `what is beside ${what}`);
      if (hard?.is === "refused") await isUntouched(bench, what);
      else assert.equal((await bench.read(what)).journal[0]?.value, text, what);
    }
  },

  "S1 F35 F103: also as an input and as a message": async (bench) => {
    for (const [what, text] of Object.entries(HARD_TEXTS)) {
      const [started] = await bench.commit(start(what, { input: text, inputHash: "h" }));
      if (started?.is === "refused") assert.equal(await bench.store.read(what), undefined);
      else assert.equal((await bench.read(what)).run.input, text, what);
      await bench.commit(start(`to ${what}`));
      const [sent] = await bench.commit(signal(`to ${what}`, "1", { payload: text }));
      const { run, messages } = await bench.read(`to ${what}`);
      const expected = sent?.is === "refused" ? [0, undefined] : [1, text];
      assert.deepEqual([run.inbox, messages[0]?.payload], expected, what);
    }
  },
};
