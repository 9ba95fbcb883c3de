/**
 * What must hold after any number of deaths, as pure functions from the evidence to the problems in it. The numbers are those of
 * the catalogue of guarantees; I10, I11 and L2 are the watcher's, who looks while it happens.
 */
import { isDeepStrictEqual } from "node:util";
import type { Entry } from "@everstep/core";
import { countingOf, doneAgain, type Evidence, resetsOf, settlementsOf, valueOf } from "./evidence.ts";
import { familyProblems } from "./family-invariants.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import { compensationProblems } from "./saga-invariants.ts";
import { waitProblems } from "./wait-invariants.ts";
import { moneyProblems } from "./money-invariants.ts";
import { orderProblems } from "./order-invariants.ts";
import { ownershipProblems } from "./ownership-invariants.ts";
import {
  AT_MOST_ONCE,
  IN_DOUBT,
  type Input,
  isToFail,
  LEFT_IN_DOUBT,
  NOBODY,
  POSTINGS,
  SEQUENCES,
} from "./steps.ts";
import { zombiesIn } from "./zombies.ts";

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
  const exists = new Set(ids);
  const asked = new Map(starts.map((start) => [start.id, start]));
  const committed = new Set(requests);
  const ofOthers = new Set(runs.flatMap(({ run }) => ((run.parent ?? run.event) === null ? [] : [run.id])));
  const inTx = ids.filter((id) => asked.get(id)?.via === "tx");
  return [
    ...repeated(ids).map((id) => `I2 ${id}: is there twice`),
    ...ids.filter((id) => !asked.has(id) && !ofOthers.has(id)).map((id) => `I2 ${id}: nobody started it`),
    ...inTx.filter((id) => !committed.has(id)).map((id) => `P4 ${id}: is there without its request`),
    ...requests.filter((id) => !exists.has(id)).map((id) => `P4 ${id}: its request is there without it`),
  ];
};

const I3_oneSettlementPerKey: Check = ({ runs }) =>
  runs.flatMap((details) => {
    const { run, journal } = details;
    return [
      // A run may be told more than once to be canceled.
      ...repeated(
        countingOf(details)
          .filter(({ kind }) => kind !== "cancel")
          .map(({ kind, key }) => `${kind} ${key}`),
      ).map((what) => `I3 ${run.id}: ${what} is journaled twice`),
      ...journal
        .filter(({ seq }, index) => seq !== index + 1)
        .map(({ seq }) => `I3 ${run.id}: entry ${seq} is out of place`),
    ];
  });

/** With I18. Exempt is what a process that was frozen before the mark begins when it wakes up. */
const I4_nothingBeginsAfterItsEntry: Check = ({ events, runs }) => {
  const again = doneAgain(runs);
  const { late, problems } = zombiesIn(events, again);
  const marked = new Set<string>();
  const found: string[] = [...problems];
  for (const event of events) {
    const { type, run, step } = event;
    if (type === "mark") marked.add(`${run} ${step}`);
    if (type !== "begin" || late.has(event) || again.has(run)) continue;
    if (marked.has(`${run} ${step}`)) found.push(`I4 ${placeOf(event)}: began after its entry was seen`);
    if (!isUndo(step) && marked.has(`${run} *`))
      found.push(`I18 ${placeOf(event)}: began after the cancel or the decision to undo was seen`);
  }
  return found;
};

/** E2: a body begins only when everything before it is durable, so no earlier step ever begins after it. */
const E2_stepsBeginInOrder: Check = ({ runs, events }) => {
  const { aside } = zombiesIn(events, doneAgain(runs));
  const begins = Map.groupBy(
    events.filter((event) => event.type === "begin" && !aside.has(event)),
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
      .filter((entry) => entry.error === undefined && !POSTINGS.has(entry.key) && !isInDoubt(entry))
      .filter((entry) => !ended.has(`${details.run.id} ${entry.key} ${String(valueOf(entry))}`))
      .map(({ key }) => `I5 ${details.run.id} ${key}: its result is of no execution`),
  );
};

const I6_oneIdempotencyKeyPerStep: Check = ({ events, runs }) => {
  const resets = new Map(runs.map((details) => [details.run.id, resetsOf(details)]));
  const bodies = events.filter(({ type }) => type === "begin" || type === "end");
  const keysOf = Map.groupBy(bodies, ({ run, step }) => `${run} ${step}`);
  const stepsOf = Map.groupBy(bodies, ({ key }) => key);
  return [
    ...[...keysOf]
      .filter(
        ([, group]) => new Set(group.map(({ key }) => key)).size > 1 + (resets.get(group[0]?.run ?? "") ?? 0),
      )
      .map(([step]) => `I6 ${step}: had more than one idempotency key`),
    ...[...stepsOf]
      .filter(([, group]) => new Set(group.map(placeOf)).size > 1)
      .map(([key]) => `I6 ${key}: is the idempotency key of more than one step`),
  ];
};

/**
 * Also not by a process that wakes up: that the step has begun is durable before it begins. A person who lets a run go on that is
 * stuck in doubt lets the step begin once more.
 */
const I7_whatMayNotHappenTwiceDoesNot: Check = ({ runs, events }) => {
  const careful = new Set([AT_MOST_ONCE, LEFT_IN_DOUBT]);
  const begins = events.filter(({ type, step }) => type === "begin" && careful.has(step));
  const resumes = new Map(
    runs.map(({ run, journal }) => [run.id, journal.filter(({ kind }) => kind === "resume").length]),
  );
  return [...Map.groupBy(begins, placeOf)]
    .filter(([, [first, ...others]]) => others.length > (resumes.get(first?.run ?? "") ?? 0))
    .map(([place, group]) => `I7 ${place}: began ${group.length} times`);
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

const I17_interruptionsAreNoFailures: Check = ({ events }) => {
  const failures = new Map<string, number>();
  const problems: string[] = [];
  for (const event of events) {
    const { type, outcome, attempt } = event;
    const place = placeOf(event);
    const failed = failures.get(place) ?? 0;
    if (type === "end" && outcome === "failed") failures.set(place, failed + 1);
    if (type === "begin" && attempt > failed + 1)
      problems.push(`I17 ${place}: attempt ${attempt}, although it has failed ${failed} times`);
  }
  return problems;
};

/** What the code saw the last time is what was journaled the first time. */
const I19_resultsAreWhatWasJournaled: Check = ({ runs }) =>
  runs
    .filter(({ run }) => run.end === "completed")
    .flatMap((details) => {
      const { run } = details;
      const journaled = new Map(
        ["step", "signal", "child"]
          .flatMap((kind) => settlementsOf(details, kind as Entry["kind"]))
          .map((entry) => [
            entry.key,
            entry.kind === "signal" && entry.error !== undefined ? NOBODY : valueOf(entry),
          ]),
      );
      const result = Object.entries(JSON.parse(run.result ?? "{}") as Record<string, unknown>);
      const wrong = result.filter(([key, value]) => !isDeepStrictEqual(journaled.get(key), value));
      if (result.length > 0 && wrong.length === 0) return [];
      return [`I19 ${run.id}: its result differs from its journal in ${wrong.map(([key]) => key).join()}`];
    });

const I21_theDatabaseIsWhole: Check = ({ integrity }) =>
  integrity.filter((line) => line !== "ok").map((line) => `I21 ${line}`);

/** Each workflow ends as it was written, for no death is an outcome; or canceled, if somebody asked for that. */
const L1_allRunsEnd: Check = ({ starts, runs }) => {
  const canceled = new Set(starts.filter(({ isCanceled }) => isCanceled).map(({ id }) => id));
  const ofCanceled = new Set(
    runs.flatMap(({ run }) =>
      run.parent?.called === true && canceled.has(run.parent.runId) ? [run.id] : [],
    ),
  );
  return runs
    .filter(({ run }) => {
      if (run.end === "canceled") return !canceled.has(run.id) && !ofCanceled.has(run.id);
      const input = JSON.parse(run.input) as Input;
      return run.end !== (isToFail(run.workflow, input) ? "failed" : "completed");
    })
    .map(({ run }) => `L1 ${run.id}: ended as ${String(run.end)}, stuck: ${JSON.stringify(run.stuck)}`);
};

/** Longer than all workers are frozen, or cut off, at the same time. */
const STANDSTILL_MS = 20_000;

/** There are always runs to be claimed while callers call: somebody is given one again and again. */
const L3_runsAreClaimedAllTheTime: Check = ({ events }) => {
  const times = events.filter(({ type }) => type === "claimed").map(({ at }) => at);
  return times
    .filter((at, index) => at - (times[index - 1] ?? at) > STANDSTILL_MS)
    .map((at) => `L3 until ${new Date(at).toISOString()} nobody was given a run for a long time`);
};

/** A session may be within a transaction when it is looked at, but not for long. */
const TRANSACTION_MAX_MS = 1_000;

const L4_sessionsAreLetGo: Check = ({ sessions }) => [
  ...sessions
    .filter(({ state, sinceMs }) => state.startsWith("idle in transaction") && sinceMs > TRANSACTION_MAX_MS)
    .map(({ when, state, sinceMs }) => `L4 ${when}: a session is ${state} since ${sinceMs} ms`),
  ...sessions
    .filter(({ when }) => when === "stopped")
    .map(({ state }) => `L4 all workers are stopped, and a session of theirs is ${state}`),
];

const I20_noSecretIsInTheClear: Check = ({ leaks }) => leaks.map((place) => `I20 the secret is in ${place}`);

const L6_nothingIsLeftBehind: Check = ({ runs, liveWorkers }) => [
  ...runs
    .filter(({ run, retries }) => run.end !== null && retries.length > 0)
    .map(
      ({ run, retries }) =>
        `L6 ${run.id}: has ended, and is to try ${retries.map(({ key }) => key).join()} again`,
    ),
  ...(liveWorkers > 0 ? [`L6 all workers are stopped, and ${liveWorkers} are taken for living`] : []),
];

const CHECKS: readonly Check[] = [
  I1_acceptedRunsExist,
  I2_oneRunPerId,
  I3_oneSettlementPerKey,
  I4_nothingBeginsAfterItsEntry,
  E2_stepsBeginInOrder,
  I5_resultsAreOfRealExecutions,
  I6_oneIdempotencyKeyPerStep,
  I7_whatMayNotHappenTwiceDoesNot,
  I8_transactionsAreWhole,
  ({ runs, events }) => ownershipProblems(runs, events),
  ({ runs, events }) => compensationProblems(runs, events),
  ({ runs, signals }) => waitProblems(runs, signals),
  ({ runs, orders }) => orderProblems(runs, orders),
  ({ runs, events }) => familyProblems(runs, events),
  ({ runs, operations }) => moneyProblems(runs, operations),
  I17_interruptionsAreNoFailures,
  I19_resultsAreWhatWasJournaled,
  I20_noSecretIsInTheClear,
  I21_theDatabaseIsWhole,
  L1_allRunsEnd,
  L3_runsAreClaimedAllTheTime,
  L4_sessionsAreLetGo,
  L6_nothingIsLeftBehind,
];

export function problemsIn(evidence: Evidence): string[] {
  return CHECKS.flatMap((check) => check(evidence));
}

function isUndo(step: string): boolean {
  return step.endsWith("/undo");
}

function isInDoubt(entry: Entry): boolean {
  return entry.key === AT_MOST_ONCE && valueOf(entry) === IN_DOUBT;
}

function placeOf({ run, step }: Pick<LedgerEvent, "run" | "step">): string {
  return `${run} ${step}`;
}

function repeated(list: readonly string[]): string[] {
  const seen = new Set<string>();
  return list.filter((item) => seen.size === seen.add(item).size);
}
