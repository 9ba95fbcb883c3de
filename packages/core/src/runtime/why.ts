/** Why a run is where it is, in words for the person on call. */
import { sentenceOf } from "../engine/error-data.ts";
import { statusOf } from "../engine/status.ts";
import type { Values } from "../engine/values.ts";
import type {
  Entry,
  PauseNote,
  RetryState,
  RunDetails,
  RunRecord,
  RunStatus,
  WaitNote,
  WorkflowRecord,
} from "../store.ts";
import type { CancelOrder } from "./cancel-order.ts";
import { pauseReport, workflowNoteId } from "./notes.ts";

/** What a run waits for: those of `calledBy` that are there, and who could go on with them. */
export interface Called {
  readonly runs: readonly RunRecord[];
  readonly workflows: readonly WorkflowRecord[];
}

export function whyOf(details: RunDetails, values: Values, children: Called): string {
  const { run, now } = details;
  const status = statusOf(run, now);
  const about = `Run ${run.id} of ${run.workflow} version ${run.version}${originOf(run)} `;
  if (run.end !== null) return about + endText(details, values);
  if (run.paused !== null) return about + pausedText(details, values) + cancelText(details, values);
  const doing = liveText(details, values, children, status);
  return about + doing + cancelText(details, values) + workflowPausedText(details, values);
}

function originOf({ event, parent }: RunRecord): string {
  if (event !== null) return `, started by event ${event.replace(/\/$/, "")},`;
  return parent === null ? "" : `, ${parent.called ? "called" : "started"} by run ${parent.runId},`;
}

function endText({ run, now }: RunDetails, values: Values): string {
  if (run.end === "completed") return `completed ${ago(run.endedAt, now)}.`;
  const came = run.end === "failed" ? "failed" : "was canceled";
  return `${came} ${ago(run.endedAt, now)}: ${errorText(run.error, "", values)}`;
}

function pausedText({ run, now }: RunDetails, values: Values): string {
  const note = pauseNoteText(run.paused, values, now);
  const stuck =
    run.stuck === null
      ? ""
      : ` It is stuck as well (${run.stuck.code}): ${stuckText(run.stuck.message, values)}`;
  const held = run.owner === null ? "" : " Its worker lets go of it once the bodies that execute are over.";
  return `is paused${note}.${held}${stuck} Resume it with client.runs.resume("${run.id}").`;
}

function pauseNoteText(paused: PauseNote | null, values: Values, now: number): string {
  const report = pauseReport(paused, values);
  if (report === null) return "";
  const by = report.by === null ? "" : ` by ${report.by}`;
  const because = report.because === null ? "" : `: ${report.because}`;
  return ` since ${ago(report.at.getTime(), now)}${by}${because}`;
}

function workflowPausedText({ run, workflowPaused, now }: RunDetails, values: Values): string {
  if (workflowPaused === null) return "";
  const note = pauseNoteText(workflowPaused, values.of(workflowNoteId(run.workflow)), now);
  return ` Its workflow is paused${note}: none of its runs is taken on before client.workflows.resume("${run.workflow}").`;
}

function liveText(details: RunDetails, values: Values, children: Called, status: RunStatus): string {
  const { run, now } = details;
  switch (status) {
    case "stuck": {
      const { code = "", message = "", at = now } = run.stuck ?? {};
      return `is stuck (${code}) since ${ago(at, now)}: ${stuckText(message, values)} Resume it with client.runs.resume("${run.id}").`;
    }
    case "ready":
      return readyText(details);
    case "running":
      return runningText(details, values);
    default: {
      const waits = restText(details, values, children);
      if (status !== "compensating") return `waits${waits}`;
      return `is being undone${waits.startsWith(" for ") ? " and waits" : ""}${waits}`;
    }
  }
}

/** Nothing else shows it until a worker takes the order up. */
function cancelText({ messages, now }: RunDetails, values: Values): string {
  const order = messages.find(({ type }) => type === "cancel");
  if (order === undefined) return "";
  let from = "";
  try {
    const { by, reason } = values.fromText(order.payload, "", "the order to cancel it") as CancelOrder;
    from = `${by === undefined ? "" : ` by ${by}`}${reason === undefined ? "" : `: ${reason}`}`;
  } catch {
    // Without the key that it was written with: that it was ordered is to be seen all the same.
  }
  return ` It was ordered to be canceled ${ago(order.at, now)}${from}; a worker that has its code carries that out.`;
}

const CHILDREN_SHOWN_MAX = 3;

/** Ids of the children that the run waits for; not all of many. */
export function calledBy({ run, journal }: RunDetails, values: Values): readonly string[] {
  if (run.end !== null) return [];
  return run.waits
    .filter(({ kind }) => kind === "child")
    .slice(0, CHILDREN_SHOWN_MAX)
    .flatMap(({ key }) => childIdOf(journal, key, values) ?? []);
}

function childIdOf(journal: readonly Entry[], key: string, values: Values): string | undefined {
  const call = journal.findLast((entry) => entry.kind === "call" && entry.key === key);
  if (call?.value === undefined) return undefined;
  try {
    return String(values.fromText(call.value, key, `the id of child ${key}`));
  } catch {
    return undefined;
  }
}

/** Also without the key that it was written with: one such run must not hide all others of a list. */
export function stuckText(message: string, values: Values): string {
  try {
    return String(values.fromText(message, "", "why it is stuck"));
  } catch (error) {
    return error instanceof Error ? `${error.message}.` : String(error);
  }
}

function readyText({ run, now, capable, workflowPaused }: RunDetails): string {
  const since = ago(run.dueAt, now);
  if (workflowPaused !== null) return `is ready since ${since}.`;
  if (capable === 0) return `is ready since ${since}, but no ${workerText(run)}.`;
  return `is ready since ${since} and waits for a free slot of ${capable} live worker${capable === 1 ? "" : "s"}.`;
}

/** Of which there is none. */
function workerText({ id, workflow, version }: RunRecord): string {
  return `live worker has workflow ${workflow} in version ${version}: start or deploy one that has, or move the run to a version that workers have, with client.runs.move("${id}", { to })`;
}

function runningText(details: RunDetails, values: Values): string {
  const { run, owner, journal, now, retries, capable } = details;
  if (owner === null || !owner.live || owner.expiresAt < now)
    return `was running, and its worker died: ${capable === 0 ? `no ${workerText(run)}` : "another one takes it over within the lease"}.`;
  const last = journal.at(-1);
  const progress =
    last === undefined
      ? "nothing is journaled yet"
      : `the last entry is ${last.kind} ${last.key} (${ago(last.at, now)})`;
  return `runs on worker ${owner.id} (${owner.host}, process ${owner.pid}); ${progress}.${retryTexts(retries, values, now)}`;
}

function restText(details: RunDetails, values: Values, children: Called): string {
  const { run, journal, now, retries, capable } = details;
  const waits = run.waits
    .filter(({ kind }) => kind !== "retry" && kind !== "child")
    .map((wait) => waitText(wait, now));
  const called = run.waits.filter(({ kind }) => kind === "child");
  for (const { key } of called.slice(0, CHILDREN_SHOWN_MAX))
    waits.push(childText(childIdOf(journal, key, values), children, values, now));
  if (called.length > CHILDREN_SHOWN_MAX) waits.push(`and ${called.length - CHILDREN_SHOWN_MAX} more`);
  if (waits.length === 0 && run.waits.length === 0 && run.owner === null && run.dueAt !== null)
    waits.push(`until it is due ${inTime(run.dueAt, now)}`);
  const nobody = run.owner === null && capable === 0 ? ` No ${workerText(run)}.` : "";
  return `${waits.length === 0 ? "" : ` ${waits.join("; ")}`}.${retryTexts(retries, values, now)}${nobody}`;
}

function childText(id: string | undefined, children: Called, values: Values, now: number): string {
  if (id === undefined) return "for a child that is about to be started";
  const child = children.runs.find((run) => run.id === id);
  if (child === undefined) return `for child ${id}, which is not in this store`;
  const own = values.of(id);
  const { stuck } = child;
  if (stuck !== null)
    return `for child ${id}, which is stuck (${stuck.code}): ${stuckText(stuck.message, own)}`;
  if (child.paused !== null)
    return `for child ${id}, which is paused${pauseNoteText(child.paused, own, now)}`;
  const nobody = nobodyText(child, children.workflows);
  return `for child ${id} of ${child.workflow}, which is ${statusOf(child, now)}${nobody}`;
}

/** Why no worker takes a run on, whatever it waits for. */
function nobodyText(
  { workflow, version, owner, end }: RunRecord,
  workflows: readonly WorkflowRecord[],
): string {
  if (owner !== null || end !== null) return "";
  const versions = workflows.filter(({ name }) => name === workflow);
  if (versions.some(({ paused }) => paused !== null)) return "; its workflow is paused";
  const live = versions.find((one) => one.version === version)?.liveWorkers ?? 0;
  return live > 0 ? "" : `, but no live worker has workflow ${workflow} in version ${version}`;
}

function waitText(wait: WaitNote, now: number): string {
  const until = wait.until === null ? "" : ` until ${iso(wait.until)} (${inTime(wait.until, now)})`;
  return wait.kind === "signal" ? `for signal ${wait.key}${until}` : `in sleep ${wait.key}${until}`;
}

function retryTexts(retries: readonly RetryState[], values: Values, now: number): string {
  return retries
    .filter((retry) => retry.failures > 0)
    .map((retry) => {
      const next =
        retry.nextAt === null
          ? "needs a person"
          : retry.nextAt <= now
            ? "trying now"
            : `next ${inTime(retry.nextAt, now)}`;
      const what = retry.key.endsWith("#undo") ? `the compensation of ${retry.key.slice(0, -5)}` : retry.key;
      return ` Retrying ${what}, attempt ${retry.failures + 1}, last error: ${errorText(retry.error ?? null, retry.key, values)}; ${next}.`;
    })
    .join("");
}

/** Also without the key that it was written with: where a run is does not depend on it. */
function errorText(text: string | null, key: string, values: Values): string {
  if (text === null) return "";
  try {
    return sentenceOf(values.errorFromText(text, key, "its error"));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function ago(at: number | null, now: number): string {
  return at === null ? "at an unknown time" : `${iso(at)} (${span(now - at)} ago)`;
}

function inTime(at: number, now: number): string {
  return at <= now ? "now" : `in ${span(at - now)}`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
