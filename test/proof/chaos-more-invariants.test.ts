/** The judge of the kill test, shown evidence with one thing wrong in it: who may write, what operators ask, and money. */
import type { RunDetails } from "@everstep/core";
import { expect, test } from "vitest";
import type { Evidence } from "./chaos/evidence.ts";
import { problemsIn } from "./chaos/invariants.ts";
import { given, journalOf, numbered, runWith, SOUND } from "./chaos/sound-evidence.ts";

const { events, operations, runs } = SOUND;
const [FIVE] = runs as [RunDetails];
const RETRY = { key: "one", failures: 1, firstAt: 1_000, nextAt: 1_100, inDoubt: false };
const CHARGE = { kind: "charged", orderId: "paid-1", amount: 1_999 } as const;

const WRONG: readonly (readonly [number: string, what: string, doctored: Partial<Evidence>])[] = [
  ["I9", "an attempt that two workers were given", { events: [...events, ...given(1, 0, "five-1")] }],
  [
    "I9",
    "an entry of an attempt that nobody was given",
    { events: events.filter(({ type, run }) => type !== "claimed" || run !== "five-1") },
  ],
  [
    "I9",
    "an entry of an attempt after which another one was given away",
    { events: [...events, ...given(2, 1, "five-1")] },
  ],
  [
    "I9",
    "an entry that the attempt found which wrote it",
    {
      events: events.map((event) =>
        event.run === "five-1" && event.type === "claimed" ? { ...event, token: "1" } : event,
      ),
    },
  ],
  [
    "I9",
    "a result of a body that ended after another attempt was given away",
    { events: [...given(2, 2, "five-1"), ...events] },
  ],
  [
    "I7",
    "a step in doubt that began more often than people let it",
    journalOf("grave-1", (journal) =>
      journal.filter(({ kind }) => kind !== "resume").map((entry, index) => ({ ...entry, seq: index + 1 })),
    ),
  ],
  [
    "F124",
    "a run that was resumed twice by one",
    journalOf("grave-1", (journal) => [
      ...journal,
      ...["a", "b"].map((key, index) => ({
        seq: journal.length + 1 + index,
        at: 2_000,
        attempt: 1,
        kind: "resume" as const,
        key,
      })),
    ]),
  ],
  [
    "F124",
    "a run that was not resumed, although somebody was told so",
    { orders: [{ run: "five-1", wish: "resume", outcome: "ok" }] },
  ],
  [
    "I13",
    "an undo of what came before the point of no return",
    journalOf("ship-1", (journal) => [
      ...journal,
      { seq: 10, at: 2_000, attempt: 1, kind: "undo", key: "pack" },
    ]),
  ],
  [
    "I13",
    "no undo of what came after the point of no return",
    journalOf("ship-1", (journal) => journal.slice(0, -1)),
  ],
  [
    "I13",
    "no undo, and the one who canceled wanted it",
    journalOf("saga-1", (journal) =>
      journal
        .filter(({ kind }) => kind !== "undo" && kind !== "unwinding")
        .map((entry) => (entry.kind === "cancel" ? { ...entry, value: '{"compensate":true}' } : entry)),
    ),
  ],
  ["I6", "a run that was charged twice", { operations: [...operations, CHARGE] }],
  ["I6", "a completed run that was not charged", { operations: [] }],
  ["I6", "a failed run that kept the money", runWith("paid-1", { end: "failed", input: '{"no":3}' })],
  ["I6", "money of nobody", { operations: [...operations, { ...CHARGE, orderId: "paid-2" }] }],
  ["I20", "a secret in the clear", { leaks: ["shop.db-wal"] }],
  [
    "L6",
    "a run that has ended and is to try something again",
    { runs: [...runs.slice(1), { ...FIVE, retries: [RETRY] }] },
  ],
  [
    "L3",
    "a time in which nobody is given a run",
    { events: [...events, ...given(2, 2, "five-1").map((event) => ({ ...event, at: 20_100 }))] },
  ],
  ["L6", "a worker that outlives all", { liveWorkers: 1 }],
  ["L1", "a run that was to fail and did not", runWith("paid-1", { input: '{"no":3}' })],
  ["I16", "a child that is gone", { runs: runs.filter(({ run }) => run.id !== "family-1/child") }],
  ["I16", "a detached run that is gone", { runs: runs.filter(({ run }) => run.id !== "family-1/heir") }],
  [
    "I16",
    "a call with another result than its child",
    runWith("family-1/child", { result: '{"one":"one"}' }),
  ],
  ["I16", "a call that completed, and its child did not", runWith("family-1/child", { end: "failed" })],
  [
    "I16",
    "a child that nobody called",
    runWith("family-1/heir", { parent: { runId: "family-1", key: "heir", called: true } }),
  ],
  [
    "I16",
    "a run that ended before its child",
    journalOf("family-1", (journal) =>
      journal.map((entry) => (entry.kind === "child" ? { ...entry, key: "other" } : entry)),
    ),
  ],
  [
    "I13",
    "a child that completed, and was not undone",
    journalOf("family-1", (journal) => journal.filter(({ kind }) => kind !== "undo")),
  ],
  ["I22", "an event that started nothing", { runs: runs.filter(({ run }) => run.workflow !== "echo") }],
  [
    "I22",
    "a run of an event that nobody emitted",
    journalOf("family-1", (journal) => journal.filter(({ kind }) => kind !== "emit")),
  ],
  ["I2", "a run of nobody", runWith("family-1/heir", { parent: null })],
  [
    "I6",
    "more idempotency keys than a person asked for",
    journalOf("regret-1", (journal) => journal.filter(({ kind }) => kind !== "reset")),
  ],
  ["L1", "a child that was canceled for no reason", runWith("family-1/child", { end: "canceled" })],
];

for (const [number, what, doctored] of WRONG) {
  test(`${number}: ${what}`, () => {
    const problems = problemsIn(numbered({ ...SOUND, ...doctored }));
    expect(problems.map((problem) => problem.split(" ")[0])).toContain(number);
  });
}

test("leaves a run as it is that was canceled by somebody who wanted nothing undone", () => {
  const abandoned = journalOf("saga-1", (journal) =>
    journal
      .filter(({ kind }) => kind !== "undo" && kind !== "unwinding")
      .map((entry) => (entry.kind === "cancel" ? { ...entry, value: '{"compensate":false}' } : entry)),
  );
  const forward = events.filter(({ run, step }) => run !== "saga-1" || !step.endsWith("/undo"));
  expect(problemsIn(numbered({ ...SOUND, ...abandoned, events: forward }))).toEqual([]);
});
