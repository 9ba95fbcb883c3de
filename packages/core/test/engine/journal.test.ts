/** What one write holds: everything that was queued since the last one, once. */
import { expect, test } from "vitest";
import { Journal } from "../../src/engine/journal.ts";
import type { NewEntry } from "../../src/store.ts";
import { entries, START } from "../support/machine-rig.ts";

const RUN = { runId: "run-1", attempt: 3 };
const row = (key: string, failures: number) => ({ key, failures, firstAt: 0, nextAt: 0, inDoubt: false });

function journalOf(recorded: readonly NewEntry[]): Journal {
  return new Journal(recorded, recorded.at(-1), START);
}

test("a write has only what there is", () => {
  const write = new Journal([], undefined, START).takeWrite(RUN);
  expect(write).toEqual({ kind: "advance", runId: "run-1", attempt: 3, entries: [] });
});

test("a write takes everything, and leaves nothing for the next", () => {
  const journal = new Journal([], undefined, START);
  journal.append({ kind: "signal", key: "s", value: "1" }, START);
  journal.consume(4, 1);
  journal.keepRetry(row("a", 1));
  journal.dropRetry("b");
  journal.tag({ k: "v" });
  journal.setPhase("closing");
  expect(journal.hasUnwritten).toBe(true);
  expect(journal.takeWrite(RUN, { progressed: true })).toMatchObject({
    entries: [{ seq: 1, kind: "signal", key: "s", value: "1", at: START }],
    consume: [[4, 1]],
    retries: [row("a", 1)],
    settled: ["b"],
    tags: { k: "v" },
    phase: "closing",
    progressed: true,
  });
  expect(journal.hasUnwritten).toBe(false);
  expect(journal.takeWrite(RUN)).toEqual({ kind: "advance", ...RUN, entries: [] });
});

test("of one row only the last state is written; of a settled one none", () => {
  const journal = new Journal([], undefined, START);
  journal.keepRetry(row("a", 1));
  journal.keepRetry(row("a", 2));
  journal.keepRetry(row("b", 1));
  journal.dropRetry("b");
  expect(journal.takeWrite(RUN)).toMatchObject({ retries: [row("a", 2)], settled: ["b"] });
});

test("tags are merged, the last one counts", () => {
  const journal = new Journal([], undefined, START);
  journal.tag({ a: "1", b: "1" });
  journal.tag({ b: "2" });
  expect(journal.takeWrite(RUN).tags).toEqual({ a: "1", b: "2" });
});

test("durable is what the store has answered, in order", () => {
  const journal = journalOf(entries(["step", "a"]));
  expect(journal.allDurable).toBe(true);
  journal.append({ kind: "step", key: "b" }, START);
  journal.append({ kind: "step", key: "c" }, START);
  expect(journal.allDurable).toBe(false);
  journal.markDurable(2);
  expect(journal.allDurable).toBe(false);
  expect(journal.durableEntries().map(({ key }) => key)).toEqual(["a", "b"]);
  journal.markDurable(3);
  journal.markDurable(2);
  expect(journal.allDurable).toBe(true);
});

test("skipping leaves nothing recorded to be delivered", () => {
  const journal = journalOf(entries(["step", "a"], ["step", "b"]));
  journal.skip();
  expect([journal.undelivered, journal.peek()]).toEqual([0, undefined]);
  journal.append({ kind: "cancel", key: "" }, START);
  expect(journal.peek()).toMatchObject({ seq: 3, kind: "cancel" });
});
