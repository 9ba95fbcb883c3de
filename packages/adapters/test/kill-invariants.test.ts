/** The judge of the kill test, shown evidence with one thing wrong in it. */
import type { Entry, RunDetails } from "@everstep/core";
import { expect, test } from "vitest";
import type { Evidence } from "./kill/evidence.ts";
import { problemsIn } from "./kill/invariants.ts";
import type { LedgerEvent } from "./kill/ledger-events.ts";

type Draft = Pick<Entry, "kind" | "key"> & Partial<Entry>;

function runOf(workflow: string, drafts: readonly Draft[], end: Partial<RunDetails["run"]>): RunDetails {
  const journal = drafts.map((draft, index) => ({
    seq: index + 1,
    at: 1_000 + 100 * index,
    attempt: 1,
    ...draft,
  }));
  const run = {
    id: `${workflow}-1`,
    workflow,
    attempt: 2,
    end: "completed",
    stuck: null,
    result: null,
    ...end,
  };
  // Only what the judge looks at.
  return { run, journal } as unknown as RunDetails;
}

const ok = (key: string, token = key): Draft => ({ kind: "step", key, value: JSON.stringify(token) });
const plain = (...keys: string[]): string =>
  JSON.stringify(Object.fromEntries(keys.map((key) => [key, key])));

/** A begin and an end for each: `run step`, with what an undo was told. */
function executions(...places: [run: string, step: string, told?: string][]): LedgerEvent[] {
  return places.flatMap(([run, step, told = ""]) => {
    const [name] = step.split("/");
    const body = { run, step, key: `${run}/${step}`, attempt: 1, pid: 7, token: name ?? "" };
    const fails = step === "decline";
    return [
      { ...body, no: 0, type: "begin", outcome: told },
      { ...body, no: 0, type: "end", outcome: fails ? "failed" : "completed" },
    ];
  });
}

const GATHERED: readonly Draft[] = [
  ...["a", "b", "c"].map((key) => ok(key)),
  { kind: "timer", key: "nap", at: 1_230 },
  { kind: "signal", key: "approval", at: 1_300, value: '"approval of gather-1"' },
  ok("last"),
];

const SAGA: readonly Draft[] = [
  { kind: "started", key: "reserve" },
  ok("reserve"),
  { kind: "started", key: "charge" },
  { kind: "cancel", key: "" },
  { kind: "unwinding", key: "canceled" },
  { kind: "undo", key: "charge" },
  { kind: "undo", key: "reserve" },
  { kind: "undo", key: "hold" },
];

const SOUND: Evidence = {
  starts: [
    { id: "five-1", workflow: "five", via: "client", tries: ["unknown", "ok"] },
    { id: "gather-1", workflow: "gather", via: "worker", tries: ["ok"] },
    { id: "saga-1", workflow: "saga", via: "worker", tries: ["unknown"] },
    { id: "posted-1", workflow: "posted", via: "tx", tries: ["ok"] },
    { id: "five-2", workflow: "five", via: "tx", tries: ["unknown"] },
  ],
  runs: [
    runOf("five", [ok("one"), ok("two")], { result: plain("one", "two") }),
    runOf("gather", GATHERED, { result: JSON.stringify({ a: "a", approval: "approval of gather-1" }) }),
    runOf("saga", SAGA, { end: "canceled" }),
    runOf("posted", [ok("quote"), ok("debit", "row")], { result: '{"quote":"quote","debit":"row"}' }),
  ],
  events: [
    ...executions(["five-1", "one"], ["five-1", "two"]),
    ...executions(["gather-1", "a"], ["gather-1", "b"], ["gather-1", "c"], ["gather-1", "last"]),
    ...executions(["saga-1", "reserve"], ["saga-1", "charge"], ["saga-1", "charge/undo", "unknown"]),
    ...executions(["saga-1", "reserve/undo", "reserve"], ["saga-1", "reserve/undo", "reserve"]),
    ...executions(["saga-1", "hold/undo"], ["posted-1", "quote"]),
  ],
  postings: [{ run: "posted-1", step: "debit", token: "row" }],
  requests: ["posted-1"],
  integrity: ["ok"],
};

test("finds nothing wrong where nothing is", () => {
  expect(problemsIn(SOUND)).toEqual([]);
});

const journalOf = (
  id: string,
  change: (journal: readonly Entry[]) => readonly Entry[],
): Partial<Evidence> => ({
  runs: SOUND.runs.map((details) =>
    details.run.id === id ? { ...details, journal: change(details.journal) } : details,
  ),
});
const runWith = (id: string, change: object): Partial<Evidence> => ({
  runs: SOUND.runs.map((details) =>
    details.run.id === id ? { ...details, run: { ...details.run, ...change } } : details,
  ),
});
const eventsWith = (
  change: (event: LedgerEvent) => LedgerEvent | readonly LedgerEvent[],
): Partial<Evidence> => ({
  events: SOUND.events.flatMap(change),
});
const mark = (run: string, step: string): LedgerEvent => ({
  no: 0,
  type: "mark",
  run,
  step,
  key: "",
  attempt: 0,
  pid: 0,
  token: "",
  outcome: "",
});
const swapped = (list: readonly Entry[], a: number, b: number): readonly Entry[] =>
  list.map((entry, index) =>
    index === a || index === b ? { ...entry, key: list[a + b - index]?.key ?? "" } : entry,
  );

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
    "E2",
    "a step that began again after the next one",
    { events: [...SOUND.events, ...executions(["five-1", "one"])] },
  ],
  ["I18", "a step after the cancel", { events: [mark("saga-1", "*"), ...SOUND.events] }],
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
];

for (const [number, what, doctored] of WRONG) {
  test(`${number}: ${what}`, () => {
    const problems = problemsIn({ ...SOUND, ...doctored });
    expect(problems.map((problem) => problem.split(" ")[0])).toContain(number);
  });
}
