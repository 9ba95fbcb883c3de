/** What is written for a retry, a rewind, a resolution, a move and a fork, given what was read of the run. */
import { describe, expect, test } from "vitest";
import { decodedValue } from "../../src/engine/entry-codec.ts";
import type { Codec } from "../../src/engine/values.ts";
import { forkOf } from "../../src/engine/fork.ts";
import { type Mend, moveMend, type RepairCase, retryMend, rewindMend } from "../../src/engine/repair.ts";
import { type Resolution, resolveMend } from "../../src/engine/resolution.ts";
import { valuesOf } from "../../src/engine/values.ts";
import { ChildFailedError, FatalError, SignalTimeoutError, StepFailedError } from "../../src/errors.ts";
import type { Message, RetryState, RunRecord } from "../../src/store.ts";
import { entries, type EntryText, runRecord, START, signal, values } from "../support/machine-rig.ts";

const NOW = START + 100_000;
const ORDER = { id: "op", by: "ada@desk", because: "the bank is back" };

interface Read {
  readonly run?: Partial<RunRecord>;
  readonly retries?: readonly RetryState[];
  readonly messages?: readonly Message[];
}

function caseOf(
  journal: readonly EntryText[],
  { run = {}, retries = [], messages = [] }: Read = {},
): RepairCase {
  const details = {
    run: runRecord({ owner: null, attempt: 3, ...run }),
    journal: entries(...journal),
    messages,
    retries,
    now: NOW,
    owner: null,
    capable: 1,
    workflowPaused: null,
  };
  return { details, values, order: ORDER };
}

const error = (thrown: Error): string => values.errorToText(thrown, "");
const declined = (step: string): Error =>
  new StepFailedError({ runId: "run-1", step, attempts: 1 }, new FatalError("declined"));
const failedWith = (thrown: Error): Read => ({ run: { phase: "done", end: "failed", error: error(thrown) } });
const ok = (key: string): EntryText => ["step", key, { value: "1" }];
const bad = (key: string, thrown: Error = declined(key)): EntryText => [
  "step",
  key,
  { error: error(thrown) },
];
const row = (key: string, changes: Partial<RetryState> = {}): RetryState => ({
  key,
  failures: 2,
  firstAt: START,
  nextAt: null,
  inDoubt: false,
  ...changes,
});

/** What the note says, without who and why. */
function noteOf({ entries: [note] }: Mend): unknown {
  const { by, because, ...facts } = decodedValue(note, note.value ?? "{}", values) as Record<string, unknown>;
  expect({ by, because }).toEqual({ by: ORDER.by, because: ORDER.because });
  return facts;
}

const thrownBy = (call: () => unknown): { readonly code: string; readonly message: string } => {
  try {
    call();
  } catch (thrown) {
    return thrown as { code: string; message: string };
  }
  throw new TypeError("it was not refused");
};

describe("retry", () => {
  const to = (journal: readonly EntryText[], read: Read, from?: string): unknown =>
    (noteOf(retryMend(caseOf(journal, read), from)) as { to: number }).to;

  test("goes on just before the outcome of the step that failed", () => {
    const mend = retryMend(
      caseOf([ok("a"), bad("b"), ok("c"), ["end", "failed"]], failedWith(declined("b"))),
    );
    expect(noteOf(mend)).toEqual({ operation: "retry", to: 1, carry: true, again: [] });
    expect(mend).toMatchObject({
      entries: [{ seq: 5, kind: "reset", key: "op", at: NOW }],
      phase: "forward",
      then: "due",
    });
  });

  test("finds the failed step among the causes of what was thrown, and the last of equal ones", () => {
    const thrown = new Error("the order failed", { cause: declined("b") });
    expect(to([bad("b"), ok("a"), bad("b"), ["end", "failed"]], failedWith(thrown))).toBe(2);
  });

  test("goes on from a signal that did not come in time", () => {
    const late = new SignalTimeoutError("run-1", "go");
    expect(to([ok("a"), ["signal", "go", { error: error(late) }], ["end", "failed"]], failedWith(late))).toBe(
      1,
    );
  });

  test("goes on from what the store refused to send", () => {
    const conflict = Object.assign(new Error("taken"), { name: "RunConflictError", code: "RUN_CONFLICT" });
    const refused: EntryText = ["start", "mail", { value: '"id"', error: "conflict mail" }];
    expect(to([ok("a"), refused, ["end", "failed"]], failedWith(conflict))).toBe(1);
  });

  test("goes on from the earliest step that was undone", () => {
    const journal: EntryText[] = [
      ok("before"),
      ["started", "a"],
      ok("a"),
      ["started", "b"],
      ok("b"),
      bad("c"),
      ["unwinding", "failed", { value: '{"keys":["b","a"]}' }],
      ["undo", "b"],
      ["undo", "a"],
      ["end", "failed"],
    ];
    expect(to(journal, failedWith(declined("c")))).toBe(1);
  });

  test("is refused when a bare compensation was run, for nobody knows what that took back", () => {
    const journal: EntryText[] = [
      ok("a"),
      bad("b"),
      ["unwinding", "failed", { value: '{"keys":["release"]}' }],
      ["undo", "release"],
      ["end", "failed"],
    ];
    const refusal = thrownBy(() => retryMend(caseOf(journal, failedWith(declined("b")))));
    expect(refusal.code).toBe("RUN_STATE");
    expect(refusal.message).toContain("compensation release was run");
    expect(refusal.message).toContain("rewind");
  });

  test("goes on where the run closed when the handler's own error or a cancel ended it", () => {
    expect(to([ok("a"), ["end", "failed"]], failedWith(new Error("no stock")))).toBe(1);
    const canceled = { run: { phase: "done", end: "canceled", error: null } } as const;
    expect(to([ok("a"), ["cancel", ""], ok("b"), ["end", "canceled"]], canceled)).toBe(1);
  });

  test("from a given step, that one is done again although it succeeded", () => {
    const journal = [ok("a"), ok("b"), bad("c"), ["end", "failed"]] as const;
    const mend = retryMend(caseOf(journal, failedWith(declined("c"))), "b");
    expect(noteOf(mend)).toEqual({ operation: "retry", to: 1, carry: true, again: ["b"] });
  });

  test("counts only what an earlier retry left", () => {
    const note = JSON.stringify({ operation: "retry", to: 1, carry: true, again: [] });
    const journal: EntryText[] = [
      ok("a"),
      bad("b"),
      ["end", "failed"],
      ["reset", "op-1", { value: note }],
      ok("b"),
      bad("c"),
      ["end", "failed"],
    ];
    expect(to(journal, failedWith(declined("c")))).toBe(5);
  });

  test("a child that failed, and those that were canceled with the run, are started anew", () => {
    const failed = new ChildFailedError(
      { runId: "run-1/mail", call: "mail", status: "failed" },
      new Error("x"),
    );
    const canceled = new ChildFailedError({ runId: "run-1/pack", call: "pack", status: "canceled" }, null);
    const journal: EntryText[] = [
      ok("a"),
      ["call", "pack", { value: '"run-1/pack"' }],
      ok("b"),
      ["call", "mail", { value: '"run-1/mail"' }],
      ["child", "mail", { error: error(failed) }],
      ["cancel", ""],
      ["child", "pack", { error: error(canceled) }],
      ["end", "failed"],
    ];
    expect(to(journal, failedWith(failed))).toBe(1);
  });

  test("what a child came to that was called before stays known", () => {
    const journal: EntryText[] = [
      ["call", "mail", { value: '"run-1/mail"' }],
      bad("b"),
      ["child", "mail", { value: '"sent"' }],
      ["end", "failed"],
    ];
    expect(retryMend(caseOf(journal, failedWith(declined("b")))).entries).toMatchObject([
      { seq: 5, kind: "reset" },
      { seq: 6, kind: "child", key: "mail", value: '"sent"', at: NOW },
    ]);
  });

  test("fits failed and canceled runs only, and says what fits others", () => {
    const remedyFor = (run: Partial<RunRecord>): string =>
      thrownBy(() => retryMend(caseOf([ok("a")], { run }))).message;
    expect(remedyFor({ phase: "done", end: "completed" })).toContain("rewind it, or fork it");
    expect(remedyFor({ stuck: { code: "BUG", message: '""', at: START } })).toContain("resume it");
    expect(remedyFor({ owner: 1 })).toContain("goes on by itself");
  });
});

describe("rewind", () => {
  const stuck = { stuck: { code: "BUG", message: '""', at: START } };

  test("goes back to before the first entry of the step, and carries nothing over", () => {
    const journal = [ok("a"), ["started", "b"], ok("c"), ok("b"), ok("d")] as const;
    const mend = rewindMend(caseOf(journal, { run: stuck }), "b");
    expect(noteOf(mend)).toEqual({ operation: "rewind", to: 1, carry: false, again: ["b"] });
    expect(mend).toMatchObject({ phase: "forward", then: "due" });
  });

  test("fits runs that have ended, are stuck or are paused, and leaves a paused one paused", () => {
    const journal = [ok("a")];
    const paused = { paused: { at: START, note: "{}" } };
    expect(rewindMend(caseOf(journal, { run: { phase: "done", end: "completed" } }), "a").then).toBe("due");
    expect(rewindMend(caseOf(journal, { run: paused }), "a").then).toBe("stay");
    for (const run of [{}, { owner: 1 }, { ...paused, owner: 1 }])
      expect(thrownBy(() => rewindMend(caseOf(journal, { run }), "a")).message).toContain("pause it first");
  });

  test("a step that is not there is refused with those that are", () => {
    const refusal = thrownBy(() => rewindMend(caseOf([ok("a"), ["timer", "nap"]], { run: stuck }), "b"));
    expect(refusal.code).toBe("INVALID_ARGUMENT");
    expect(refusal.message).toContain("it has a, nap");
  });

  test("a step that only failed so far is where the run is", () => {
    const mend = rewindMend(caseOf([ok("a")], { run: stuck, retries: [row("b")] }), "b");
    expect(noteOf(mend)).toMatchObject({ to: 1 });
    expect(mend.settled).toEqual(["b"]);
  });

  test("can't leave something counting that was undone", () => {
    const journal: EntryText[] = [
      ["started", "a"],
      ok("a"),
      bad("b"),
      ["unwinding", "failed", { value: '{"keys":["a"]}' }],
      ["undo", "a"],
      ["end", "failed"],
    ];
    const read = failedWith(declined("b"));
    expect(thrownBy(() => rewindMend(caseOf(journal, read), "b")).message).toContain("go back to a");
    expect(noteOf(rewindMend(caseOf(journal, read), "a"))).toMatchObject({ to: 0 });
  });

  test("doubts of other steps stay, whatever is done again", () => {
    const mend = rewindMend(
      caseOf([["started", "a"], ok("b"), ["started", "c"]], {
        run: { ...stuck, interrupted: true },
        retries: [row("b2"), row("c", { inDoubt: true })],
      }),
      "b",
    );
    const doubt = { failures: 0, firstAt: NOW, nextAt: NOW, inDoubt: true };
    expect(mend.retries).toEqual([
      { key: "c", ...doubt },
      { key: "a", ...doubt },
    ]);
    expect(mend.settled).toEqual(["b2"]);
  });

  test("a child that failed by itself is no reason to go back further; one that was given up is", () => {
    const failed = new ChildFailedError({ runId: "run-1/x", call: "x", status: "failed" }, new Error("x"));
    const call: EntryText = ["call", "x", { value: '"run-1/x"' }];
    const ended: EntryText = ["child", "x", { error: error(failed) }];
    expect(rewindMend(caseOf([call, ok("b"), ended], { run: stuck }), "b").entries).toMatchObject([
      { kind: "reset", value: expect.stringContaining('"to":1') as string },
      { kind: "child", key: "x", error: error(failed) },
    ]);
    const dropped = rewindMend(caseOf([call, ok("b"), ["drop", "x"], ended], { run: stuck }), "b");
    expect(noteOf(dropped)).toMatchObject({ to: 0 });
  });
});

describe("resolve", () => {
  const stuck = { run: { stuck: { code: "IN_DOUBT", message: '""', key: "a", at: START } } } as const;
  const resolved = (resolution: Resolution, read: Read = stuck, step = "a"): Mend =>
    resolveMend(caseOf([["started", "a"]], read), step, resolution);

  test("with a result settles the step, and forgets its failed attempts", () => {
    const mend = resolved({ as: "result", value: { id: 7 } }, { ...stuck, retries: [row("a")] });
    expect(noteOf(mend)).toEqual({ step: "a", as: "result" });
    expect(mend).toMatchObject({
      entries: [
        { seq: 2, kind: "resolve" },
        { seq: 3, kind: "step", key: "a", value: '{"id":7}', at: NOW },
      ],
      settled: ["a"],
      then: "due",
    });
  });

  test("with an error the code sees what it would have seen of a FatalError", () => {
    const given = Object.assign(new Error("declined"), { code: "card_declined" });
    const [, entry] = resolved({ as: "error", error: given }, { ...stuck, retries: [row("a")] }).entries;
    const seen = values.errorFromText(entry?.error ?? "", "a", "");
    expect(seen).toMatchObject({ name: "StepFailedError", step: "a", attempts: 2 });
    expect(seen.cause).toMatchObject({ name: "FatalError", message: "declined", code: "card_declined" });
    const [, unhappened] = resolved({
      as: "error",
      error: new FatalError("no", { happened: false }),
    }).entries;
    expect(values.errorFromText(unhappened?.error ?? "", "a", "").cause).toMatchObject({ happened: false });
  });

  test("with a rerun only the doubt is taken away", () => {
    const mend = resolved({ as: "rerun" }, { ...stuck, retries: [row("a", { inDoubt: true })] });
    expect(mend.entries).toHaveLength(1);
    expect(mend.retries).toEqual([{ key: "a", failures: 0, firstAt: NOW, nextAt: NOW, inDoubt: false }]);
  });

  test("skipped, the step comes to undefined", () => {
    expect(resolved({ as: "skip" }).entries[1]).toEqual({
      seq: 3,
      kind: "step",
      key: "a",
      at: NOW,
      value: undefined,
    });
  });

  test("of a paused run leaves it paused; other doubts of one whose worker died are kept", () => {
    const paused = { paused: { at: START, note: "{}" }, interrupted: true };
    const mend = resolveMend(
      caseOf(
        [
          ["started", "a"],
          ["started", "b"],
        ],
        { run: paused },
      ),
      "a",
      { as: "skip" },
    );
    expect(mend.then).toBe("stay");
    expect(mend.retries).toMatchObject([{ key: "b", inDoubt: true }]);
  });

  test("fits steps that have begun and have no outcome, of runs that nobody executes", () => {
    const refusal = (
      read: Read,
      step: string,
      journal: readonly EntryText[] = [["started", "a"], ok("done")],
    ) => thrownBy(() => resolveMend(caseOf(journal, read), step, { as: "skip" })).message;
    expect(refusal({ run: { owner: 1 } }, "a")).toContain("pause it first");
    expect(refusal({ run: { phase: "done", end: "failed" } }, "a")).toContain("it has ended");
    expect(refusal({}, "done")).toContain("has settled");
    expect(refusal({ retries: [row("c")] }, "b")).toContain("of those it has a, c");
    const waits = [{ kind: "signal", key: "go", until: null }] as const;
    expect(refusal({ run: { waits } }, "go")).toContain("go is a signal");
  });

  test("of a run that is being undone settles what is left to be undone", () => {
    const journal: EntryText[] = [
      ["started", "a"],
      ok("a"),
      ["unwinding", "failed", { value: '{"keys":["b","a"]}' }],
      ["undo", "b"],
    ];
    const run = { phase: "compensating", stuck: { code: "UNDO_FAILED", message: '""', at: START } } as const;
    const given = caseOf(journal, { run, retries: [row("a#undo"), row("c#undo")] });
    const mend = resolveMend(given, "a", { as: "skip" });
    expect(mend).toMatchObject({
      entries: [{ kind: "resolve" }, { kind: "undo", key: "a" }],
      settled: ["a#undo"],
      retries: [{ key: "c#undo", failures: 0, nextAt: NOW }],
      then: "due",
    });
    expect(thrownBy(() => resolveMend(given, "b", { as: "skip" })).message).toContain("that are left: a");
    expect(thrownBy(() => resolveMend(given, "a", { as: "error", error: "x" })).message).toContain("skip it");
    expect(resolveMend(given, "a", { as: "rerun" }).retries).toContainEqual(
      expect.objectContaining({ key: "a#undo", nextAt: NOW }),
    );
  });
});

test("a move says from where, and wakes a stuck run when asked to", () => {
  const stuck = { run: { stuck: { code: "DIVERGED", message: '""', at: START } }, retries: [row("a")] };
  const mend = moveMend(caseOf([ok("b")], stuck), "2", true);
  expect(noteOf(mend)).toEqual({ version: "2", from: "1" });
  expect(mend).toMatchObject({ version: "2", then: "due", retries: [{ key: "a", nextAt: NOW }] });
  expect(moveMend(caseOf([ok("b")], stuck), "2", false).then).toBe("stay");
  expect(moveMend(caseOf([ok("b")]), "2", true).then).toBe("stay");
});

describe("fork", () => {
  const sealing: Codec = {
    encode: (text, { runId, key }) => `${runId}|${key}|${text}`,
    decode: (text, { runId, key }) => {
      const seal = `${runId}|${key}|`;
      if (!text.startsWith(seal)) throw new Error(`${text} is not sealed for ${seal}`);
      return text.slice(seal.length);
    },
  };
  const fork = (given: RepairCase, from: string, codec?: Codec) =>
    forkOf({ ...given, values: valuesOf("run-1", codec), codec, id: "fork-1", from });

  test("has what came before the step, numbered anew, and says from where it is", () => {
    const note = JSON.stringify({ operation: "rewind", to: 1, carry: false, again: [] });
    const given = caseOf([ok("a"), ok("gone"), ["reset", "op-1", { value: note }], ok("b"), ok("c")], {
      run: { phase: "done", end: "completed", result: "1", parent: { runId: "p", key: "k", called: true } },
    });
    const { run, journal, retries } = fork(given, "c");
    expect(journal.map(({ seq, kind, key }) => `${seq} ${kind} ${key}`)).toEqual([
      "1 step a",
      "2 step b",
      "3 fork op",
    ]);
    expect(JSON.parse(journal[2]?.value ?? "")).toMatchObject({ from: "run-1", to: 4 });
    expect(run).toMatchObject({
      id: "fork-1",
      phase: "forward",
      end: null,
      result: null,
      parent: null,
      attempt: 3,
    });
    expect(retries).toEqual([]);
  });

  test("has the signals that were taken later, and those that nobody took", () => {
    const journal: EntryText[] = [
      ["signal", "go", { value: "1" }],
      ok("a"),
      ["signal", "go#2", { value: "2" }],
      ["signal", "go#3", { error: error(new Error("late")) }],
    ];
    const { messages } = fork(caseOf(journal, { messages: [signal(4, "go", 3)], run: { owner: 1 } }), "a");
    expect(messages.map(({ id, name, payload }) => [id, name, payload])).toEqual([
      ["fork:3", "go", "2"],
      ["m4", "go", "3"],
    ]);
  });

  test("waits for the children that the other run waits for; what they came to later stays known", () => {
    const journal: EntryText[] = [
      ["call", "x", { value: '"run-1/x"' }],
      ["call", "y", { value: '"run-1/y"' }],
      ok("a"),
      ["child", "y", { value: "5" }],
    ];
    const forked = fork(caseOf(journal), "a");
    expect(forked.awaits).toEqual([{ runId: "run-1/x", key: "x" }]);
    expect(forked.journal.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      "call x",
      "call y",
      "child y",
      "fork op",
    ]);
  });

  test("what a codec bound to the one run is bound to the other", () => {
    const sealed = (key: string, text: string): string => `run-1|${key}|${text}`;
    const journal: EntryText[] = [
      ["input", "", { value: sealed("", '"in"') }],
      ["step", "a", { value: sealed("a", "1") }],
      ["signal", "go#2", { value: sealed("go", "2") }],
      ["start", "s", { value: sealed("s", '"id"'), error: "conflict w" }],
      ["move", "m", { value: JSON.stringify({ version: "1", note: sealed("", "why") }) }],
      ok("b"),
    ];
    const given = caseOf(journal, { run: { input: "shop/7/||null", event: "shop/7/" } });
    const { run, journal: forked } = fork(given, "b", sealing);
    expect(run).toMatchObject({ input: "fork-1||null", event: null });
    expect(forked.slice(0, 5).map(({ value }) => value)).toEqual([
      'fork-1||"in"',
      "fork-1|a|1",
      "fork-1|go|2",
      'fork-1|s|"id"',
      '{"version":"1","note":"fork-1||why"}',
    ]);
    expect(forked[3]?.error).toBe("conflict w");
    expect(thrownBy(() => fork(caseOf(journal), "b", sealing)).code).toBe("DECODING");
  });
});
