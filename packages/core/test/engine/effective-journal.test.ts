/** What a reset leaves of a journal, carries over, and gives a new identity. */
import { expect, test } from "vitest";
import { effectiveJournal } from "../../src/engine/effective-journal.ts";
import { entries, type EntryText } from "../support/machine-rig.ts";

function reset(to: number, carry: boolean): EntryText {
  const value = JSON.stringify({ operation: carry ? "retry" : "rewind", to, carry });
  return ["reset", `reset-${to}`, { value }];
}

function effective(...texts: readonly EntryText[]) {
  const read = effectiveJournal(entries(...texts));
  return {
    seqs: read.entries.map(({ seq }) => seq),
    carried: Object.fromEntries([...read.carried].map(([key, { value }]) => [key, value])),
    generations: Object.fromEntries(read.generations),
    givenBack: read.givenBack.map(({ key }) => key),
  };
}

const step = (key: string, rest: EntryText[2] = { value: "1" }): EntryText => ["step", key, rest];
const FAILED = { error: '{"name":"Error","message":"declined"}' };

test("without a reset all counts", () => {
  expect(effective(step("a"), ["started", "b"], step("b"))).toEqual({
    seqs: [1, 2, 3],
    carried: {},
    generations: {},
    givenBack: [],
  });
});

test("a retry keeps what comes before, carries over what succeeded after, and does again what failed", () => {
  const read = effective(
    step("a"),
    step("b", FAILED),
    step("c", { value: "3" }),
    ["end", "failed"],
    reset(1, true),
  );
  expect(read).toEqual({ seqs: [1, 5], carried: { c: "3" }, generations: { b: 1 }, givenBack: [] });
});

test("a retry does again what was undone", () => {
  const read = effective(
    ["started", "a"],
    step("a"),
    step("b", FAILED),
    ["unwinding", "failed"],
    ["undo", "a"],
    ["end", "failed"],
    reset(0, true),
  );
  expect(read).toEqual({ seqs: [7], carried: {}, generations: { a: 1, b: 1 }, givenBack: [] });
});

test("a rewind carries nothing over, and gives signals back", () => {
  const read = effective(
    step("a"),
    ["signal", "go", { value: "2" }],
    step("b"),
    ["end", "completed"],
    reset(1, false),
  );
  expect(read).toEqual({ seqs: [1, 5], carried: {}, generations: { go: 1, b: 1 }, givenBack: ["go"] });
});

test("what nobody knows the outcome of is no new thing when it is done again", () => {
  expect(effective(["started", "a"], reset(0, false)).generations).toEqual({});
});

test("each reset counts once more, and a later one supersedes what an earlier one left", () => {
  const read = effective(step("a"), reset(0, false), step("a"), step("b"), reset(2, false), step("a"));
  expect(read).toEqual({ seqs: [2, 5, 6], carried: {}, generations: { a: 2, b: 1 }, givenBack: [] });
});

test("what was carried over and journaled again is in the journal, not carried", () => {
  const read = effective(step("b", FAILED), step("c"), ["end", "failed"], reset(0, true), step("c"));
  expect(read).toEqual({ seqs: [4, 5], carried: {}, generations: { b: 1 }, givenBack: [] });
});

test("a child that was given up, or whose parent ended before it, is called again under a new id", () => {
  const child: EntryText = ["call", "c", { value: '"r/c"' }];
  expect(effective(child, ["drop", "c"], step("a"), reset(0, false)).generations).toEqual({ c: 1, a: 1 });
  expect(effective(child, ["drop", "c"], ["child", "c", FAILED], reset(0, false)).generations).toEqual({
    c: 1,
  });
  expect(effective(child, ["cancel", ""], ["end", "canceled"], reset(0, false)).generations).toEqual({
    c: 1,
  });
});

test("a child that is still awaited is called again under a new id after a rewind, which cancels it", () => {
  const child: EntryText = ["call", "c", { value: '"r/c"' }];
  expect(effective(child, step("a"), reset(0, false)).generations).toEqual({ a: 1, c: 1 });
  expect(effective(child, step("a"), reset(1, false)).generations).toEqual({ a: 1 });
});

test("what was undone is done again as something new, also when nobody knew its outcome", () => {
  const read = effective(
    ["started", "a"],
    step("b", FAILED),
    ["unwinding", "failed"],
    ["undo", "a"],
    ["undo", "bare"],
    ["end", "failed"],
    reset(0, true),
  );
  expect(read.generations).toEqual({ a: 1, b: 1, bare: 1 });
});

test("what `patched` answered stays true, for what came of it may still count", () => {
  expect(effective(step("a"), step("b"), ["patched", "change"], step("c"), reset(2, false)).seqs).toEqual([
    1, 2, 3, 5,
  ]);
});
