/** A run as plain JSON, to be kept, looked at elsewhere, or put into another store. What a codec sealed stays sealed. */
import { doubtsOf } from "../../engine/bodies.ts";
import { effectiveJournal } from "../../engine/effective-journal.ts";
import { openCalls } from "../../engine/fork.ts";
import { valuesOf } from "../../engine/values.ts";
import { InvalidArgumentError, RunConflictError, RunStateError } from "../../errors.ts";
import type { RetryState, RunDetails } from "../../store.ts";
import { type ClientCore, detailsOf } from "../client-core.ts";
import { checkExported, type ExportedRun } from "./exported-run.ts";
import { hashOfInput } from "./forking.ts";
import { checkDone } from "./mending.ts";

export type { ExportedRun } from "./exported-run.ts";

export async function exportRun(core: ClientCore, id: string): Promise<ExportedRun> {
  const details = await detailsOf(core, id);
  const { run, journal, messages } = details;
  const values = valuesOf(id, core.codec);
  const { entries } = effectiveJournal(journal);
  const {
    owner: _o,
    dueAt: _d,
    inbox: _i,
    waits: _w,
    interrupted: _n,
    strikes: _s,
    strikesAlone: _a,
    ...kept
  } = run;
  const exported: ExportedRun = {
    everstep: 1,
    inputHash: hashOfInput(run, core.codec),
    run: kept,
    journal,
    messages: messages.map(({ no: _no, ...message }) => message),
    retries: rowsOf(details, entries),
    awaits: run.end === null ? openCalls({ values }, entries) : [],
  };
  return JSON.parse(JSON.stringify(exported)) as ExportedRun;
}

/** What may be executed right now has an unknown outcome where the export is read. */
function rowsOf(
  { run, retries }: RunDetails,
  entries: Parameters<typeof doubtsOf>[0],
): readonly RetryState[] {
  if (run.end !== null || (run.owner === null && !run.interrupted)) return retries;
  const rows = new Map(retries.map((row) => [row.key, row]));
  for (const doubt of doubtsOf(entries, rows)) rows.set(doubt.key, doubt);
  return [...rows.values()];
}

const IS_THERE = "a run is imported under its own id, and one that is there is left alone";

/** The id of the run, which is there when this resolves. */
export async function importRun(core: ClientCore, data: unknown): Promise<string> {
  const { everstep: _, ...run } = checkExported(typeof data === "string" ? parsed(data) : data);
  const { id } = run.run;
  await checkAwaited(core, run);
  const outcome = await core.write({ kind: "import", ...run });
  if (outcome.is === "conflict") throw new RunConflictError(id, outcome.workflow, IS_THERE);
  checkDone(id, outcome, "to import it");
  return id;
}

const ASKED_AT_ONCE = 500;

/** Who waits for a run that is not there yet would never hear of its end. */
async function checkAwaited(
  { store }: ClientCore,
  { run, awaits }: Omit<ExportedRun, "everstep">,
): Promise<void> {
  const ids = [...new Set(awaits.map(({ runId }) => runId))];
  for (let at = 0; at < ids.length; at += ASKED_AT_ONCE) {
    const asked = ids.slice(at, at + ASKED_AT_ONCE);
    const { runs } = await store.list({ ids: asked }, { limit: asked.length });
    const here = new Set(runs.map(({ id }) => id));
    const missing = asked.find((id) => !here.has(id));
    if (missing !== undefined)
      throw new RunStateError(
        run.id,
        "waiting",
        `it called ${missing}, which is not in this store, so that it would never hear of its end: import that one first; nothing was changed`,
      );
  }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new InvalidArgumentError(`what is to be imported is no JSON: ${String(error)}`);
  }
}
