/** The judge of the kill test, shown evidence with one thing wrong in it. */
import { expect, test } from "vitest";
import type { Evidence } from "./chaos/evidence.ts";
import { problemsIn } from "./chaos/invariants.ts";
import {
  asZombie,
  eventsWith,
  executions,
  FIVE_MARKED,
  froze,
  journalOf,
  mark,
  messageOf,
  numbered,
  runWith,
  SOUND,
  swapped,
  thawed,
} from "./chaos/sound-evidence.ts";

test("finds nothing wrong where nothing is", () => {
  expect(problemsIn(numbered(SOUND))).toEqual([]);
});

const WRONG: readonly (readonly [number: string, what: string, doctored: Partial<Evidence>])[] = [
  ["I1", "an accepted run is gone", { runs: SOUND.runs.slice(1) }],
  ["I2", "a run is there twice", { runs: [...SOUND.runs, ...SOUND.runs.slice(0, 1)] }],
  ["I2", "a run that nobody started", { starts: SOUND.starts.slice(1) }],
  ["P4", "a run without the row of its transaction", { requests: [] }],
  ["P4", "a row without the run of its transaction", { requests: ["posted-1", "five-2"] }],
  [
    "I3",
    "a step that settled twice",
    journalOf("five-1", (journal) => swapped(journal, 1, 0).map((e) => ({ ...e, key: "one" }))),
  ],
  [
    "I3",
    "a gap",
    journalOf("five-1", (journal) => journal.map((entry) => ({ ...entry, seq: entry.seq * 2 }))),
  ],
  ["I4", "a body that began after its entry", { events: [mark("five-1", "one"), ...SOUND.events] }],
  [
    "I4",
    "a body that began after its entry, in a process that was frozen later",
    { events: [...FIVE_MARKED, froze(8), thawed(8, 900), asZombie("five-1", "one", 901)] },
  ],
  [
    "I4",
    "a body that began after its entry, long after its process woke up",
    { events: [froze(8), ...FIVE_MARKED, thawed(8, 900), asZombie("five-1", "one", 1_901)] },
  ],
  [
    "I4",
    "a body that began after its entry, when another process woke up",
    { events: [froze(8), ...FIVE_MARKED, thawed(8, 900), asZombie("five-1", "one", 901, 9)] },
  ],
  [
    "I4",
    "more bodies of a process that woke up than it can have decided to begin",
    {
      events: [
        froze(8),
        ...FIVE_MARKED,
        thawed(8, 900),
        ...[901, 902, 903, 904].map((at) => asZombie("five-1", "one", at)),
      ],
    },
  ],
  [
    "E2",
    "a step that began again after the next one",
    { events: [...SOUND.events, ...executions(["five-1", "one"])] },
  ],
  ["I18", "a step after the cancel", { events: [mark("saga-1", "*"), ...SOUND.events] }],
  [
    "I7",
    "a step that may not happen twice",
    { events: [...SOUND.events, ...executions(["careful-1", "once"])] },
  ],
  [
    "I7",
    "a step that may not happen twice, in a process that woke up",
    { events: [froze(8), ...SOUND.events, thawed(8, 900), asZombie("careful-1", "once", 901)] },
  ],
  [
    "I5",
    "a result of no execution",
    journalOf("gather-1", (journal) =>
      journal.map((entry) => (entry.key === "b" ? { ...entry, value: '"x"' } : entry)),
    ),
  ],
  [
    "I6",
    "an idempotency key per attempt",
    eventsWith((event) => (event.type === "end" ? { ...event, key: "other" } : event)),
  ],
  ["I6", "one idempotency key for two steps", eventsWith((event) => ({ ...event, key: event.run }))],
  [
    "I8",
    "a row without its entry",
    { postings: [...SOUND.postings, { run: "posted-1", step: "debit", token: "2" }] },
  ],
  ["I8", "an entry without its row", { postings: [] }],
  ["I8", "a row that is there twice", { postings: [...SOUND.postings, ...SOUND.postings] }],
  [
    "I9",
    "an entry of an earlier attempt",
    journalOf("five-1", (journal) => journal.map((entry) => ({ ...entry, attempt: 3 - entry.seq }))),
  ],
  ["I9", "an entry of an attempt that never was", runWith("five-1", { attempt: 0 })],
  [
    "I13",
    "a step that was not undone",
    journalOf("saga-1", (journal) => journal.filter(({ kind, key }) => kind !== "undo" || key !== "charge")),
  ],
  [
    "I13",
    "a step that began and was not undone",
    { events: [...executions(["saga-1", "book"]), ...SOUND.events] },
  ],
  ["I13", "undos in the order of start", journalOf("saga-1", (journal) => swapped(journal, 5, 6))],
  [
    "I13",
    "an undo that was journaled and never began",
    eventsWith((event) => (event.step === "hold/undo" ? [] : event)),
  ],
  [
    "I13",
    "a step that began after an undo",
    { events: [...SOUND.events, ...executions(["saga-1", "reserve"])] },
  ],
  [
    "I13",
    "an undo that was told something else",
    eventsWith((event) => (event.outcome === "reserve" ? { ...event, outcome: "x" } : event)),
  ],
  [
    "I14",
    "another signal",
    journalOf("gather-1", (journal) =>
      journal.map((entry) => (entry.kind === "signal" ? { ...entry, value: '"x"' } : entry)),
    ),
  ],
  ["I14", "a signal that is lost", { runs: SOUND.runs.map((details) => ({ ...details, messages: [] })) }],
  [
    "I14",
    "a signal that was refused and taken all the same",
    {
      signals: SOUND.signals.filter(({ outcome, run }) => outcome === "late" || run !== "gather-1"),
    },
  ],
  ["I14", "a signal that nobody sent", { signals: [] }],
  [
    "I14",
    "a signal that was taken and is still there",
    {
      runs: SOUND.runs.map((details) => ({ ...details, messages: [messageOf("approval 0 of gather-1")] })),
    },
  ],
  [
    "I15",
    "a wait that was given up too early",
    journalOf("bell-1", (journal) =>
      journal.map((entry) => (entry.kind === "signal" ? { ...entry, at: 1_149 } : entry)),
    ),
  ],
  [
    "I15",
    "a short sleep",
    journalOf("gather-1", (journal) =>
      journal.map((entry) => (entry.kind === "timer" ? { ...entry, at: 1_229 } : entry)),
    ),
  ],
  ["I17", "an interruption that counted as a failure", eventsWith((event) => ({ ...event, attempt: 2 }))],
  ["I19", "a result that the journal does not know", runWith("five-1", { result: '{"one":"two"}' })],
  ["I21", "a damaged file", { integrity: ["row 1 missing from index"] }],
  ["L1", "a run that has not ended", runWith("five-1", { end: null })],
  ["L1", "a saga that completed", runWith("saga-1", { end: "completed" })],
  ["L1", "a run that was canceled, which nobody asked for", runWith("five-1", { end: "canceled" })],
  [
    "L4",
    "a session that stays in its transaction",
    { sessions: [{ when: "idle", state: "idle in transaction (aborted)", sinceMs: 1_001 }] },
  ],
  [
    "L4",
    "a session that outlives its worker",
    { sessions: [{ when: "stopped", state: "idle", sinceMs: 1 }] },
  ],
];

for (const [number, what, doctored] of WRONG) {
  test(`${number}: ${what}`, () => {
    const problems = problemsIn(numbered({ ...SOUND, ...doctored }));
    expect(problems.map((problem) => problem.split(" ")[0])).toContain(number);
  });
}

test("exempts what a process begins when it wakes up, and had decided before", () => {
  const { events } = SOUND;
  const [first, last] = [events.slice(0, 4), events.slice(4)];
  const five = [froze(8), ...first, mark("five-1", "one"), thawed(8, 900), asZombie("five-1", "one", 901)];
  const undone = last.findIndex(({ step }) => step === "reserve/undo");
  const saga = [
    ...last.slice(0, undone),
    mark("saga-1", "*"),
    asZombie("saga-1", "charge", 902),
    ...last.slice(undone),
    asZombie("saga-1", "charge/undo", 903),
  ];
  expect(problemsIn(numbered({ ...SOUND, events: [...five, ...saga] }))).toEqual([]);
});

test("exempts what a person has done again, however often, in a process that was frozen shortly before", () => {
  const again = [901, 902, 903, 904].map((at) => asZombie("regret-1", "act", at));
  const events = [froze(8), ...SOUND.events, mark("regret-1", "act"), thawed(8, 900), ...again];
  const problems = problemsIn(numbered({ ...SOUND, events }));
  expect(problems.filter((problem) => problem.startsWith("I4"))).toEqual([]);
});
