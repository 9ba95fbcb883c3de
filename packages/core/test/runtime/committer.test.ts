/** Group commit, seen from the store: which writes come in one batch. */
import { expect, test } from "vitest";
import type { Outcome, Store } from "../../src/index.ts";
import { systemClock } from "../../src/clock.ts";
import { Committer } from "../../src/runtime/committer.ts";

const DONE: Outcome = { is: "done" };

/** A store that keeps the batches, and answers when it is told to, or at once. */
function recorder({ atOnce }: { readonly atOnce: boolean }) {
  const sizes: number[] = [];
  const answers: (() => void)[] = [];
  const commit: Store["commit"] = ({ writes }) => {
    sizes.push(writes.length);
    const outcomes = writes.map(() => DONE);
    return atOnce
      ? Promise.resolve(outcomes)
      : new Promise((resolve) => answers.push(() => resolve(outcomes)));
  };
  return { sizes, answer: () => answers.shift()?.(), store: { commit } as Store };
}

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function submitter(committer: Committer): (count: number, settle?: () => void) => void {
  const write = {
    kind: "message",
    runId: "a",
    message: { type: "signal", id: "1", name: "go", payload: "1" },
  } as const;
  return (count, settle = () => {}) => {
    for (let no = 0; no < count; no++) committer.submit({ write, writer: undefined, settle, fail: settle });
  };
}

test("what arrives while a commit is under way is the next batch", async () => {
  const { sizes, answer, store } = recorder({ atOnce: false });
  const submit = submitter(new Committer(store, systemClock));
  submit(1);
  await macrotask();
  submit(3);
  await macrotask();
  submit(4);
  expect(sizes).toEqual([1]);
  await macrotask();
  answer();
  await macrotask();
  await macrotask();
  expect(sizes).toEqual([1, 7]);
});

test("where the store answers later, half of what is active goes ahead, so that it has something to do meanwhile", async () => {
  const { sizes, answer, store } = recorder({ atOnce: false });
  const submit = submitter(new Committer(store, systemClock));
  submit(100);
  await macrotask();
  await macrotask();
  answer();
  await macrotask();
  // All hundred come back one by one, in one turn.
  submit(49);
  expect(sizes).toEqual([100]);
  submit(51);
  expect(sizes).toEqual([100, 50]);
  await macrotask();
  expect(sizes, "one commit at a time").toEqual([100, 50]);
  answer();
  await macrotask();
  await macrotask();
  expect(sizes).toEqual([100, 50, 50]);
});

test("where it answers at once, all that comes in one turn is one batch", async () => {
  const { sizes, store } = recorder({ atOnce: true });
  const submit = submitter(new Committer(store, systemClock));
  for (let round = 0; round < 3; round++) {
    submit(100);
    await macrotask();
    await macrotask();
  }
  expect(sizes).toEqual([100, 100, 100]);
});
