/** What persons do to runs: they pause them and let them go on, and have those that have ended go back. */
import { InvalidArgumentError, RunEndedError, RunStateError } from "@everstep/core";
import type { Outside } from "@everstep/core/testing";
import { formatProgram } from "../programs/line.ts";
import type { Program } from "../programs/program.ts";

const PAUSED = 0.3;
const PAUSE_AFTER_MS = 4000;
const PAUSE_MAX_MS = 15_000;
const REPAIRED = 0.7;
const REPAIRS_MAX = 3;
const ASKED: ReadonlySet<string> = new Set([
  "step",
  "timer",
  "signal",
  "pivot",
  "child",
  "start",
  "emit",
  "send",
]);

/** Settles when nobody wants anything of this run any more. */
export async function meddle(outside: Outside, program: Program, id: string): Promise<void> {
  if (outside.random() < PAUSED) await pause(outside, id);
  // It would wait for a cancel that was given before.
  if (formatProgram(program).includes("await-cancel")) return;
  for (let times = 0; times < REPAIRS_MAX; times++) {
    await outside.until(() => outside.journal(id).at(-1)?.kind === "end");
    if (outside.random() > REPAIRED || !(await repair(outside, id))) return;
  }
}

async function pause({ client, random, sleep }: Outside, id: string): Promise<void> {
  await sleep(PAUSE_AFTER_MS * random() ** 2);
  await tried(client.runs.pause(id));
  await sleep(PAUSE_MAX_MS * random());
  await tried(client.runs.resume(id));
}

/** False when it could not be done. */
async function repair({ client, random, journal, until }: Outside, id: string): Promise<boolean> {
  const before = [...journal(id)];
  const keys = before.filter(({ kind }) => ASKED.has(kind)).map(({ key }) => key);
  const key = keys[Math.floor(random() * keys.length)];
  const isRetry = before.at(-1)?.key !== "completed" && random() < 0.6;
  const from = random() < 0.3 && key !== undefined ? { from: key } : {};
  if (!isRetry && key === undefined) return false;
  const done = await tried(isRetry ? client.runs.retry(id, from) : client.runs.rewind(id, { to: key ?? "" }));
  if (done) await until(() => journal(id).length > before.length);
  return done;
}

/** A person is told when a run is not in a state for it. */
async function tried(order: Promise<void>): Promise<boolean> {
  try {
    await order;
    return true;
  } catch (error) {
    const isTold =
      error instanceof RunStateError ||
      error instanceof RunEndedError ||
      error instanceof InvalidArgumentError;
    if (!isTold) throw error;
    return false;
  }
}
