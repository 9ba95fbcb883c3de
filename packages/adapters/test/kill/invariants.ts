/**
 * What must hold after any number of deaths, as pure functions from the evidence to the problems in it. The numbers are those of
 * the catalogue of guarantees; I10 and I11 are the watcher's, who looks while it happens.
 */
import type { Evidence } from "./evidence.ts";
import { settlementsOf, valueOf } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import { compensationProblems } from "./saga-invariants.ts";
import { FLAKY, NAP_MS, POSTINGS, SEQUENCES } from "./workflows.ts";
import { approvalOf } from "./callers.ts";

type Check = (evidence: Evidence) => string[];

const I1_acceptedRunsExist: Check = ({ starts, runs }) => {
  const ids = new Set(runs.map(({ run }) => run.id));
  return starts
    .filter(({ id, tries }) => tries.includes("ok") && !ids.has(id))
    .map(({ id }) => `I1 ${id}: was accepted and is not there`);
};

/** With P4: a start within a transaction of the application is there if and only if the application's own row is. */
const I2_oneRunPerId: Check = ({ starts, runs, requests }) => {
  const ids = runs.map(({ run }) => run.id);
  const asked = new Map(starts.map((start) => [start.id, start]));
  const committed = new Set(requests);
  const inTx = ids.filter((id) => asked.get(id)?.via === "tx");
  return [
    ...repeated(ids).map((id) => `I2 ${id}: is there twice`),
    ...ids.filter((id) => !asked.has(id)).map((id) => `I2 ${id}: nobody started it`),
    ...inTx.filter((id) => !committed.has(id)).map((id) => `P4 ${id}: is there without its request`),
    ...requests.filter((id) => !ids.includes(id)).map((id) => `P4 ${id}: its request is there without it`),
  ];
};

const I3_oneSettlementPerKey: Check = ({ runs }) =>
  runs.flatMap(({ run, journal }) => [
    ...repeated(journal.map(({ kind, key }) => `${kind} ${key}`)).map(
      (what) => `I3 ${run.id}: ${what} is journaled twice`,
    ),
    ...journal
      .filter(({ seq }, index) => seq !== index + 1)
      .map(({ seq }) => `I3 ${run.id}: entry ${seq} is out of place`),
  ]);

const I4_nothingBeginsAfterItsEntry: Check = ({ events }) => {
  const marked = new Set<string>();
  const problems: string[] = [];
  for (const event of events) {
    const { type, run, step } = event;
    if (type === "mark") marked.add(`${run} ${step}`);
    if (type !== "begin") continue;
    if (marked.has(`${run} ${step}`)) problems.push(`I4 ${placeOf(event)}: began after its entry was seen`);
    if (!isUndo(step) && marked.has(`${run} *`))
      problems.push(`I18 ${placeOf(event)}: began after the cancel or the decision to undo was seen`);
  }
  return problems;
};

/** E2: a body begins only when everything before it is durable, so no earlier step ever begins after it. */
const E2_stepsBeginInOrder: Check = ({ runs, events }) => {
  const begins = Map.groupBy(
    events.filter(({ type }) => type === "begin"),
    ({ run }) => run,
  );
  return runs.flatMap(({ run }) => {
    const sequence = SEQUENCES[run.workflow] ?? [];
    const order = (begins.get(run.id) ?? [])
      .map(({ step }) => sequence.indexOf(step))
      .filter((place) => place !== -1);
    return order
      .filter((place, index) => place < (order[index - 1] ?? 0))
      .map((place) => `E2 ${run.id} ${sequence[place] ?? ""}: began after a later step had begun`);
  });
};

const I5_resultsAreOfRealExecutions: Check = ({ runs, events }) => {
  const ended = new Set(
    events
      .filter(({ type, outcome }) => type === "end" && outcome === "completed")
      .map(({ run, step, token }) => `${run} ${step} ${token}`),
  );
  return runs.flatMap((details) =>
    settlementsOf(details, "step")
      .filter(({ key, error }) => error === undefined && !POSTINGS.has(key))
      .filter((entry) => !ended.has(`${details.run.id} ${entry.key} ${String(valueOf(entry))}`))
      .map(({ key }) => `I5 ${details.run.id} ${key}: its result is of no execution`),
  );
};

const I6_oneIdempotencyKeyPerStep: Check = ({ events }) => {
  const bodies = events.filter(({ type }) => type === "begin" || type === "end");
  const keysOf = Map.groupBy(bodies, ({ run, step }) => `${run} ${step}`);
  const stepsOf = Map.groupBy(bodies, ({ key }) => key);
  return [
    ...[...keysOf]
      .filter(([, group]) => new Set(group.map(({ key }) => key)).size > 1)
      .map(([step]) => `I6 ${step}: had more than one idempotency key`),
    ...[...stepsOf]
      .filter(([, group]) => new Set(group.map(placeOf)).size > 1)
      .map(([key]) => `I6 ${key}: is the idempotency key of more than one step`),
  ];
};

const I8_transactionsAreWhole: Check = ({ runs, postings }) => {
  const rows = postings.map(({ run, step, token }) => `${run} ${step} ${token}`);
  const journaled = runs.flatMap((details) =>
    settlementsOf(details, "step")
      .filter(({ key }) => POSTINGS.has(key))
      .map((entry) => `${details.run.id} ${entry.key} ${String(valueOf(entry))}`),
  );
  const [rowSet, journalSet] = [new Set(rows), new Set(journaled)];
  return [
    ...repeated(rows).map((row) => `I8 ${row}: is posted twice`),
    ...rows.filter((row) => !journalSet.has(row)).map((row) => `I8 ${row}: is posted and not journaled`),
    ...journaled.filter((row) => !rowSet.has(row)).map((row) => `I8 ${row}: is journaled and not posted`),
  ];
};

const I9_attemptsNeverGoBack: Check = ({ runs }) =>
  runs.flatMap(({ run, journal }) => [
    ...journal
      .filter(({ attempt }, index) => attempt < (journal[index - 1]?.attempt ?? 1))
      .map(
        ({ seq, attempt }) => `I9 ${run.id}: entry ${seq} is of attempt ${attempt}, the one before is later`,
      ),
    ...journal
      .filter(({ attempt }) => attempt > run.attempt)
      .map(({ seq }) => `I9 ${run.id}: entry ${seq} is of an attempt that never was`),
  ]);

/** `gather` takes one signal and ends one sleep. */
const I14_waitsEndAsTheyShould: Check = ({ runs }) =>
  runs
    .filter(({ run }) => run.workflow === "gather" && run.end === "completed")
    .flatMap((details) => {
      const { id } = details.run;
      const signals = settlementsOf(details, "signal").map(
        (entry) => `${entry.key} ${String(valueOf(entry))}`,
      );
      const nap = settlementsOf(details, "timer").find(({ key }) => key === "nap");
      const fellAsleepAt = Math.max(
        ...settlementsOf(details, "step")
          .filter(({ key }) => ["a", "b", "c"].includes(key))
          .map(({ at }) => at),
      );
      return [
        ...(signals.join() === `approval ${approvalOf(id)}`
          ? []
          : [`I14 ${id}: took the signals ${signals.join()}`]),
        ...(nap !== undefined && nap.at >= fellAsleepAt + NAP_MS
          ? []
          : [`I15 ${id}: did not sleep long enough`]),
      ];
    });

const I17_interruptionsAreNoFailures: Check = ({ events }) =>
  events
    .filter(({ type, step, attempt }) => type === "begin" && attempt > (FLAKY.has(step) ? 2 : 1))
    .map((event) => `I17 ${placeOf(event)}: attempt ${event.attempt}, although it did not fail so often`);

/** What the code saw the last time is what was journaled the first time. */
const I19_resultsAreWhatWasJournaled: Check = ({ runs }) =>
  runs
    .filter(({ run }) => run.end === "completed")
    .flatMap((details) => {
      const { run } = details;
      const journaled = new Map(
        [...settlementsOf(details, "step"), ...settlementsOf(details, "signal")].map((entry) => [
          entry.key,
          valueOf(entry),
        ]),
      );
      const result = Object.entries(JSON.parse(run.result ?? "{}") as Record<string, unknown>);
      const wrong = result.filter(([key, value]) => journaled.get(key) !== value);
      if (result.length > 0 && wrong.length === 0) return [];
      return [`I19 ${run.id}: its result differs from its journal in ${wrong.map(([key]) => key).join()}`];
    });

const I21_theFileIsWhole: Check = ({ integrity }) =>
  integrity.filter((line) => line !== "ok").map((line) => `I21 ${line}`);

/** Each workflow ends as it was written, for no death is an outcome. */
const L1_allRunsEnd: Check = ({ runs }) =>
  runs
    .filter(({ run }) => {
      if (run.workflow === "saga") return run.end !== "failed" && run.end !== "canceled";
      return run.end !== "completed";
    })
    .map(({ run }) => `L1 ${run.id}: ended as ${String(run.end)}, stuck: ${JSON.stringify(run.stuck)}`);

const CHECKS: readonly Check[] = [
  I1_acceptedRunsExist,
  I2_oneRunPerId,
  I3_oneSettlementPerKey,
  I4_nothingBeginsAfterItsEntry,
  E2_stepsBeginInOrder,
  I5_resultsAreOfRealExecutions,
  I6_oneIdempotencyKeyPerStep,
  I8_transactionsAreWhole,
  I9_attemptsNeverGoBack,
  ({ runs, events }) => compensationProblems(runs, events),
  I14_waitsEndAsTheyShould,
  I17_interruptionsAreNoFailures,
  I19_resultsAreWhatWasJournaled,
  I21_theFileIsWhole,
  L1_allRunsEnd,
];

export function problemsIn(evidence: Evidence): string[] {
  return CHECKS.flatMap((check) => check(evidence));
}

function isUndo(step: string): boolean {
  return step.endsWith("/undo");
}

function placeOf({ run, step }: Pick<LedgerEvent, "run" | "step">): string {
  return `${run} ${step}`;
}

function repeated(list: readonly string[]): string[] {
  const seen = new Set<string>();
  return list.filter((item) => seen.size === seen.add(item).size);
}
