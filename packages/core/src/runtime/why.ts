/** Why a run is where it is, in words for the person on call. */
import { statusOf } from "../engine/status.ts";
import type { Values } from "../engine/values.ts";
import type { RetryState, RunDetails, WaitNote } from "../store.ts";

export function whyOf(details: RunDetails, values: Values): string {
  const { run, now } = details;
  const status = statusOf(run, now);
  const about = `Run ${run.id} of ${run.workflow} version ${run.version} `;
  switch (status) {
    case "completed":
      return `${about}completed ${ago(run.endedAt, now)}.`;
    case "failed":
    case "canceled":
      return `${about}${status === "failed" ? "failed" : "was canceled"} ${ago(run.endedAt, now)}: ${errorText(run.error, "", values)}`;
    case "stuck": {
      const { code = "", message = "", at = now } = run.stuck ?? {};
      return `${about}is stuck (${code}) since ${ago(at, now)}: ${stuckText(message, values)} Resume it with client.runs.resume("${run.id}").`;
    }
    case "ready":
      return about + readyText(details);
    case "running":
      return about + runningText(details, values);
    default:
      return `${about}${status === "compensating" ? "is being undone" : "waits"}${restText(details, values)}`;
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

function readyText({ run, now, capable }: RunDetails): string {
  const since = ago(run.dueAt, now);
  if (capable === 0)
    return `is ready since ${since}, but no live worker has workflow ${run.workflow} in version ${run.version}: start or deploy one that has.`;
  return `is ready since ${since} and waits for a free slot of ${capable} live worker${capable === 1 ? "" : "s"}.`;
}

function runningText(details: RunDetails, values: Values): string {
  const { owner, journal, now, retries } = details;
  if (owner === null || !owner.live || owner.expiresAt < now)
    return "was running, and its worker died: another one takes it over within the lease.";
  const last = journal.at(-1);
  const progress =
    last === undefined
      ? "nothing is journaled yet"
      : `the last entry is ${last.kind} ${last.key} (${ago(last.at, now)})`;
  return `runs on worker ${owner.id} (${owner.host}, process ${owner.pid}); ${progress}.${retryTexts(retries, values, now)}`;
}

function restText(details: RunDetails, values: Values): string {
  const { run, now, retries } = details;
  const waits = run.waits.filter((wait) => wait.kind !== "retry").map((wait) => waitText(wait, now));
  if (waits.length === 0 && run.waits.length === 0 && run.owner === null && run.dueAt !== null)
    waits.push(`until it is due ${inTime(run.dueAt, now)}`);
  return `${waits.length === 0 ? "" : ` ${waits.join("; ")}`}.${retryTexts(retries, values, now)}`;
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

function errorText(text: string | null, key: string, values: Values): string {
  return text === null ? "" : values.errorFromText(text, key, "its error").message;
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
