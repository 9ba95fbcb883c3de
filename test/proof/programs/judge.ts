/**
 * Judges what a run left behind: the journal, the executions of its bodies and what its code saw, against what the program allows.
 * Each finding begins with the number of the invariant that is broken (docs/guarantees.md), or with that of the engine (E2).
 */
import type { Entry } from "@everstep/core";
import type { Evidence, Execution } from "./evidence.ts";
import { codeFindings, type Watching, watch } from "./judge-code.ts";
import { childFindings, escaped, familyFindings } from "./judge-family.ts";
import { isRolledBack, rowFindings } from "./judge-rows.ts";
import { undoFindings } from "./judge-undo.ts";
import { deadlineFindings, signalFindings, timerFindings } from "./judge-waits.ts";
import type { Program } from "./program.ts";
import { type Deed, errorOf, errorText, read, type Reading, valueOf } from "./reading.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** What all rules look at. */
export interface Case {
  readonly evidence: Evidence;
  readonly journal: readonly Entry[];
  readonly reading: Reading;
  /** By kind and key. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly deeds: ReadonlyMap<string, Deed>;
  readonly executions: ReadonlyMap<string, readonly Execution[]>;
  readonly watching: Watching;
  /** Seq of the `unwinding` entry, and of the first `cancel`; `Infinity` when there is none. */
  readonly decidedAt: number;
  readonly canceledAt: number;
}

/** One line for each thing that is wrong; empty when the run is as it has to be, and all that it has led to. */
export function judge(program: Program, evidence: Evidence): string[] {
  const others = evidence.others ?? [];
  const family = [evidence, ...others];
  return [
    ...judgeRun(program, evidence, family),
    ...others.flatMap((other) =>
      judgeRun(JSON.parse(other.run.input) as Program, other, family).map(
        (finding) => `${finding} (${other.run.id})`,
      ),
    ),
    ...familyFindings(family),
  ];
}

/** One of the runs of a family, by itself. */
export function judgeRun(program: Program, evidence: Evidence, family: readonly Evidence[]): string[] {
  const { run } = evidence;
  const findings = journalFindings(run.journal, run.attempt);
  if (findings.length > 0) return findings;
  if (run.end === null) return [`L1 not ended: ${run.stuck?.code ?? run.phase} ${run.stuck?.message ?? ""}`];
  const known = caseOf(program, evidence);
  return [
    ...askedFindings(known),
    ...endFindings(known),
    ...stepFindings(known),
    ...executionFindings(known),
    ...rowFindings(evidence),
    ...undoFindings(known),
    ...signalFindings(known),
    ...timerFindings(known),
    ...deadlineFindings(known),
    ...childFindings(known, family),
    ...codeFindings(known),
  ];
}

/**
 * What also holds of a run that a person had go back, looked at as if only what still counts had ever been. `carries`: a retry may have kept
 * what timers had come to.
 */
export function judgeEffective(program: Program, evidence: Evidence, carries: boolean): string[] {
  const known = caseOf(program, evidence);
  const asked = { ...known, journal: known.journal.filter(({ kind }) => kind !== "patched") };
  return [
    ...askedFindings(asked),
    ...endFindings(known),
    ...undoFindings(known),
    ...(carries ? [] : timerFindings(known)),
    ...codeFindings(known),
  ];
}

function caseOf(program: Program, evidence: Evidence): Case {
  const { journal } = evidence.run;
  const reading = read(program, journal);
  return {
    evidence,
    journal,
    reading,
    entries: new Map(journal.map((entry) => [`${entry.kind} ${entry.key}`, entry])),
    deeds: new Map(reading.deeds.map((deed) => [`${deed.kind} ${deed.key}`, deed])),
    executions: Map.groupBy(evidence.executions, ({ kind, key }) => `${kind} ${key}`),
    watching: watch(evidence, journal, reading.deeds),
    decidedAt: seqOf(journal, "unwinding"),
    canceledAt: seqOf(journal, "cancel"),
  };
}

function seqOf(journal: readonly Entry[], kind: Entry["kind"]): number {
  return journal.find((entry) => entry.kind === kind)?.seq ?? NEVER;
}

/** I3, I9 and the order of time. */
function journalFindings(journal: readonly Entry[], attempt: number): string[] {
  const findings: string[] = [];
  const seen = new Set<string>();
  let at = 0;
  let by = 0;
  for (const [index, entry] of journal.entries()) {
    const name = `${entry.kind} ${entry.key}`;
    if (entry.seq !== index + 1) findings.push(`I3 entry ${entry.seq} stands at ${index + 1}`);
    if (entry.at < at) findings.push(`I3 ${name} is older than the entry before it`);
    if (seen.has(name) && entry.kind !== "cancel" && entry.kind !== "resume")
      findings.push(`I3 ${name} is there twice`);
    if (entry.attempt < by || entry.attempt > attempt)
      findings.push(`I9 ${name} is of attempt ${entry.attempt}`);
    if (entry.kind === "end" && index !== journal.length - 1) findings.push(`I10 entries after ${name}`);
    seen.add(name);
    at = entry.at;
    by = entry.attempt;
  }
  return findings;
}

/** Which deed an entry is about. */
const ASKED: Readonly<Partial<Record<Entry["kind"], Deed["kind"]>>> = {
  step: "step",
  started: "step",
  timer: "timer",
  signal: "signal",
  pivot: "pivot",
  patched: "patched",
  child: "child",
  call: "child",
  drop: "child",
  start: "start",
  emit: "emit",
  send: "send",
};

/** What is journaled was asked for before. */
function askedFindings({ journal, deeds }: Case): string[] {
  return journal
    .filter(({ kind }) => ASKED[kind] !== undefined)
    .filter(({ kind, key, seq }) => {
      const deed = deeds.get(`${ASKED[kind]} ${key}`);
      return deed === undefined || deed.at >= seq || (kind === "started" && !recordsStart(deed));
    })
    .map(
      ({ kind, key, seq }) => `I12 entry ${seq} (${kind} ${key}) is journaled, and was not asked for before`,
    );
}

/** L1: the run ended as its code says. */
function endFindings(known: Case): string[] {
  const { evidence, entries, reading, canceledAt } = known;
  const { run } = evidence;
  const { ok } = reading.outcome;
  const expected = !ok ? "failed" : canceledAt < NEVER ? "canceled" : "completed";
  const untagged = reading.deeds.filter(({ kind, key }) => kind === "tagged" && run.tags[key] !== "set");
  const wrong = [
    run.end !== expected && `it ended ${run.end}, not ${expected}`,
    !entries.has(`end ${run.end}`) && "its end is not journaled",
    run.end === "canceled" && !evidence.canceled && "it was canceled, and nobody asked for that",
    run.retries.length > 0 && `rows of failed attempts are left: ${run.retries.length}`,
    untagged.length > 0 && `tags are missing: ${untagged.map(({ key }) => key).join()}`,
    ...(run.end === "completed" ? completionProblems(known) : [errorProblem(known)]),
  ];
  return wrong.filter((problem) => problem !== false).map((problem) => `L1 ${problem}`);
}

const AWAITED: ReadonlySet<Deed["kind"]> = new Set(["step", "child", "start", "emit", "send"]);

/** A run completes when its handler has returned and all that it asked for, but for waits and what it gave up, has settled. */
function completionProblems({ evidence, reading }: Case): (string | false)[] {
  const { outcome, deeds } = reading;
  const { result } = evidence.run;
  const open = deeds.filter(
    ({ kind, gotAt, lostAt }) => AWAITED.has(kind) && gotAt === NEVER && lostAt === NEVER,
  );
  const isOther = JSON.stringify(outcome.value) !== JSON.stringify(valueOf({ value: result ?? "null" }));
  return [
    outcome.at === NEVER && "it completed before its code was done",
    open.length > 0 && `it completed, but not its ${open.map(({ key }) => key).join()}`,
    outcome.ok &&
      outcome.at < NEVER &&
      isOther &&
      `its result is ${result}, not ${JSON.stringify(outcome.value)}`,
  ];
}

function errorProblem({ evidence, reading }: Case): string | false {
  const { end, error } = evidence.run;
  const text = error === null ? "none" : errorText(error);
  const isRight = end === "failed" ? text === reading.outcome.value : text.startsWith("RunCanceledError");
  return !isRight && `its error is ${text}`;
}

/** I5, I17: each outcome is that of a real execution, and such as its body can have. */
function stepFindings(known: Case): string[] {
  const { journal, deeds, executions, evidence } = known;
  const findings: string[] = [];
  for (const entry of journal) {
    const deed = deeds.get(`step ${entry.key}`);
    if (entry.kind !== "step" || deed === undefined) continue;
    const own = executions.get(`${bodyOf(deed)} ${entry.key}`) ?? [];
    const wrong = outcomeProblem(entry, deed, own);
    if (wrong !== undefined) findings.push(`${wrong}: step ${entry.key}`);
    const times = TIMES[doesOf(deed)] ?? 1;
    if (own.length < times && !looks(deed))
      findings.push(`I6 step ${entry.key} is settled after ${own.length} executions`);
    if (own.length > times && !evidence.faulty)
      findings.push(`I6 step ${entry.key} ran ${own.length} times without a fault`);
    if (looks(deed) && own.filter(({ thawed }) => thawed !== true).length > 1)
      findings.push(`I7 step ${entry.key} ran again though it looks whether it happened`);
  }
  return findings;
}

const TIMES: Readonly<Record<string, number>> = { flaky: 2, exhausted: 2, slow: 0 };

function looks({ node }: Deed): boolean {
  return node.do === "step" && node.looks === true;
}

function bodyOf({ node }: Deed): Execution["kind"] {
  return node.do === "step" && node.tx === true ? "transaction" : "step";
}

/** Before its body begins, that is durable. */
function recordsStart({ node }: Deed): boolean {
  return node.do === "step" && (node.undo?.startsWith("own") === true || node.looks === true);
}

function doesOf({ node }: Deed): string {
  return node.do === "step" ? node.does : "ok";
}

function outcomeProblem(entry: Entry, deed: Deed, executions: readonly Execution[]): string | undefined {
  const does = doesOf(deed);
  if (entry.error === undefined) {
    const source = executions.find(({ token }) => token === valueOf(entry));
    if (does !== "ok" && does !== "flaky") return `I5 a step that is ${does} has a value`;
    if (source === undefined) return "I5 its value is of no execution of it";
    return looks(deed) || source.ended === "returned"
      ? undefined
      : "I5 its value is of an execution that did not return";
  }
  const { name, props, cause } = errorOf(entry.error);
  if (name !== "StepFailedError" || does === "ok" || does === "flaky" || does === "slow")
    return `I5 a step that is ${does} failed with ${name}`;
  if (props?.["attempts"] !== (TIMES[does] ?? 1))
    return `I17 it failed after ${String(props?.["attempts"])} attempts`;
  if (does === "timeout")
    return cause?.name === "StepTimeoutError" ? undefined : `I5 it failed with ${cause?.name}`;
  const isReal = executions.some(
    ({ token, ended }) => ended === "threw" && cause?.message === `${does} ${token}`,
  );
  return isReal ? undefined : "I5 its error is of no execution of it";
}

/** I4, I6, I13, I17, I18, E2: when a body may begin, and as what. */
function executionFindings(known: Case): string[] {
  const findings: string[] = [];
  const threw = new Map<string, number>();
  for (const execution of known.evidence.executions) {
    const name = `${execution.kind} ${execution.key}`;
    const failures = threw.get(name) ?? 0;
    const wrong = [
      ...askProblems(known, execution),
      ...(execution.thawed === true ? [] : beginProblems(known, execution)),
      ...(execution.kind === "transaction" ? [] : contextProblems(known, execution, failures)),
    ];
    if (execution.ended === "threw" || mayHaveTimedOut(known, execution)) threw.set(name, failures + 1);
    for (const problem of wrong) if (problem !== false) findings.push(`${problem}: ${name}`);
  }
  return findings;
}

/** The timeout of a step is that of its undo as well: whatever that came to, it may have been too late. */
function mayHaveTimedOut({ deeds }: Case, { key }: Execution): boolean {
  const deed = deeds.get(`step ${key}`);
  return deed !== undefined && doesOf(deed) === "timeout";
}

function askProblems({ deeds }: Case, { kind, key }: Execution): (string | false)[] {
  const isUndone = deeds.has(`undo ${key}`) || deeds.has(`child ${key}`);
  const isAsked = deeds.has(`step ${key}`) || (kind === "undo" && isUndone);
  return [!isAsked && "I12 it ran, and was not asked for"];
}

/** What its `StepContext` told it; a transaction has none. */
function contextProblems(
  { evidence }: Case,
  { kind, key, idempotencyKey, attempt, stored = 0 }: Execution,
  failures: number,
): (string | false)[] {
  const expected = `${escaped(evidence.run.id)}/${key}${kind === "undo" ? "/undo" : ""}`;
  return [
    idempotencyKey !== expected && `I6 its idempotency key is ${idempotencyKey}`,
    attempt > failures + 1 && kind !== "lookUp" && `I17 its attempt is ${attempt} after ${failures} failures`,
    attempt <= stored && `I17 its attempt is ${attempt}, though ${stored} failures are stored`,
  ];
}

/**
 * A cancel ends a pause as well. A pause that the run's owner did not live to record is recorded when it is over; whether it
 * is, times tell that don't go back, and each run is paused once at most.
 */
function isPaused({ journal, evidence }: Case, durable: number): boolean {
  const known = journal.slice(0, durable);
  const last = known.findLast(({ kind }) => kind === "pause" || kind === "resume" || kind === "cancel");
  if (last?.kind !== "pause") return false;
  const orderedAt = evidence.run.messages.find(({ consumedBy }) => consumedBy === last.seq)?.at ?? last.at;
  return !known.some(({ kind, at }) => kind === "resume" && (evidence.jumped === true || at >= orderedAt));
}

function beginProblems(known: Case, execution: Execution): (string | false)[] {
  const { entries, watching, deeds, decidedAt, canceledAt } = known;
  const { kind, key, durable, pass, seen } = execution;
  const isUndo = kind === "undo";
  const isDurable = (name: string): boolean => (entries.get(name)?.seq ?? NEVER) <= durable;
  const deed = deeds.get(`step ${key}`);
  const records = !isUndo && deed !== undefined && recordsStart(deed);
  const early =
    watching.positionOf(pass, seen) > durable && "E2 it began before what its code had seen was durable";
  if (isRolledBack(known.evidence, execution)) return [early];
  return [
    early,
    isDurable(`${isUndo ? "undo" : "step"} ${key}`) && "I4 it began after its outcome was durable",
    !isUndo && decidedAt <= durable && "I13 it began after the decision to undo",
    !isUndo && canceledAt <= durable && "I18 it began after the cancel was recorded",
    isPaused(known, durable) && "I18 it began while its run was paused",
    records && !isDurable(`started ${key}`) && "I13 it began before its start was durable",
  ];
}
