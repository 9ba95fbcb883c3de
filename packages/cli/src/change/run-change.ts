/** One change of runs from its command line to its answer: which, what would be done, is it meant, what became of it. */
import type { RunSummary } from "@everstep/core";
import { EXIT, type ExitCode } from "../exit-code.ts";
import type { Session } from "../frame.ts";
import { plural } from "../render/plural.ts";
import { statusColour, type Screen } from "../render/screen.ts";
import type * as tables from "../render/table.ts";
import { carryOut, type Outcome } from "./carry-out.ts";
import type { Change } from "./change.ts";
import { isMeant } from "./confirmation.ts";
import { progressOf } from "./progress.ts";
import { type Refused, type TargetOptions, type Targets, targetsOf } from "./targets.ts";

export interface ChangeOptions extends TargetOptions {
  readonly dryRun?: boolean;
}

/** What was done. */
interface ChangeDocument {
  readonly operation: string;
  readonly done: readonly string[];
  readonly refused: readonly Refused[];
  /** Runs that were under way when the store went out: nobody knows whether it was done. */
  readonly unknown: readonly string[];
  /** Runs that were not tried, for it was interrupted or the store went out. */
  readonly left: number;
}

/** With `--dry-run`: what would be done. */
interface ChangePlan {
  readonly operation: string;
  readonly dryRun: true;
  readonly runs: readonly {
    readonly id: string;
    readonly workflow: string;
    readonly version: string;
    readonly status: string;
    /** Why this run would refuse it; null: it would be done. */
    readonly refusal: string | null;
  }[];
  readonly refused: readonly Refused[];
}

export async function runChange(
  session: Session<ChangeOptions>,
  ids: readonly string[],
  change: Change,
): Promise<ExitCode> {
  const found = await targetsOf(session, ids, change);
  // A filter means those that it can be done to; who names a run is told why not.
  const targets =
    ids.length > 0
      ? found
      : { ...found, runs: found.runs.filter((run) => change.refusal(run) === undefined) };
  if (session.options.dryRun === true) return showPlan(session, targets, change);
  if (!(await isWanted(session, targets, change))) {
    session.out.note("nothing was changed");
    return EXIT.failed;
  }
  return targets.single ? one(session, targets.runs, change) : several(session, targets, change);
}

async function isWanted(
  { io, options }: Session<ChangeOptions>,
  { runs, isGuess }: Targets,
  change: Change,
): Promise<boolean> {
  if (runs.length === 0 || (runs.length === 1 && change.destructive !== true && !isGuess)) return true;
  const what = `${change.name} ${runs.length === 1 ? `run ${runs[0]?.id}` : plural(runs.length, "run")}`;
  const details = [...(change.says === undefined ? [] : [change.says]), ...detailsOf(runs)];
  return isMeant({ what, details }, { io, yes: options.yes === true });
}

const DETAILS_MAX = 6;

/** By workflow and status, the most first. */
function detailsOf(runs: readonly RunSummary[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { workflow, version, status } of runs) {
    const what = `of ${workflow} version ${version}, ${status}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const lines = [...counts].toSorted(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`);
  return lines.length <= DETAILS_MAX
    ? lines
    : [...lines.slice(0, DETAILS_MAX), `and of ${lines.length - DETAILS_MAX} more kinds`];
}

/** Its refusal is the command's own error. */
async function one(
  { client, out }: Session<ChangeOptions>,
  runs: readonly RunSummary[],
  change: Change,
): Promise<ExitCode> {
  for (const run of runs) await change.act(client, run);
  const document: ChangeDocument = {
    operation: change.name,
    done: runs.map(({ id }) => id),
    refused: [],
    unknown: [],
    left: 0,
  };
  out.show(document, ({ done }) => done.map((id) => `${change.done} ${id}\n`).join(""));
  return EXIT.done;
}

async function several(
  { client, out, io }: Session<ChangeOptions>,
  { runs, missing }: Targets,
  change: Change,
): Promise<ExitCode> {
  // From here on Ctrl-C ends it between two runs.
  const { interrupted } = io;
  const progress = progressOf(io, { what: change.name, count: runs.length, isQuiet: out.isJson });
  const outcome = await carryOut(client, change, runs, { interrupted, progress: progress.at });
  progress.end();
  const document: ChangeDocument = {
    operation: change.name,
    done: outcome.done,
    refused: [...missing, ...outcome.refused],
    unknown: outcome.unknown,
    left: outcome.left,
  };
  const { table } = await import("../render/table.ts");
  out.show(document, (shown, screen) => changeText(shown, { change, screen, table }));
  if (outcome.failure !== undefined) throw outcome.failure;
  return exitOf(document, outcome);
}

function exitOf({ done, refused }: ChangeDocument, { left }: Outcome): ExitCode {
  if (refused.length === 0) return left === 0 ? EXIT.done : EXIT.failed;
  if (done.length > 0) return EXIT.partly;
  return refused.every(({ code }) => code === "RUN_NOT_FOUND") ? EXIT.notFound : EXIT.failed;
}

/** Tables are loaded when something is to be shown in one. */
interface Shown {
  readonly change: Change;
  readonly screen: Screen;
  readonly table: typeof tables.table;
}

function changeText(
  { done, refused, unknown, left }: ChangeDocument,
  { change, screen, table }: Shown,
): string {
  const head =
    done.length + refused.length + unknown.length + left === 0
      ? `no run to ${change.name}\n`
      : `${change.done} ${plural(done.length, "run")}${refused.length === 0 ? "" : `, ${refused.length} refused`}\n`;
  const rest = restText(unknown, left);
  if (refused.length === 0) return head + rest;
  const columns = [
    { title: "REFUSED", of: ({ id }: Refused) => id },
    { title: "WHY", of: ({ message }: Refused) => message },
  ];
  // Remedies are whole sentences: they are not cut off.
  return `${head}${table(columns, refused, screen)}${rest}`;
}

function restText(unknown: readonly string[], left: number): string {
  const doubt =
    unknown.length === 0 ? "" : `whether it was done to these is not known: ${unknown.join(", ")}\n`;
  return left === 0
    ? doubt
    : `${doubt}${plural(left, "run")} not tried: the same command again does the rest\n`;
}

async function showPlan(
  { out, store }: Session<ChangeOptions>,
  { runs, missing }: Targets,
  change: Change,
): Promise<ExitCode> {
  const planned: Planned[] = [];
  for (const run of runs) {
    const { id, workflow, version, status } = run;
    const refusal = change.refusal(run) ?? (await change.refusalWithin?.(store, run)) ?? null;
    planned.push({ id, workflow, version, status, refusal });
  }
  const plan: ChangePlan = { operation: change.name, dryRun: true, runs: planned, refused: missing };
  const { table } = await import("../render/table.ts");
  out.show(plan, (shown, screen) => planText(shown, { change, screen, table }));
  return EXIT.done;
}

type Planned = ChangePlan["runs"][number];

function planText({ runs, refused }: ChangePlan, { change, screen, table }: Shown): string {
  const would = runs.filter(({ refusal }) => refusal === null).length;
  const missing = refused.map(({ id, message }) => `${id}: ${message}\n`).join("");
  const head = `would ${change.name} ${plural(would, "run")}; nothing was changed\n`;
  if (runs.length === 0) return head + missing;
  const columns = [
    { title: "RUN", of: ({ id }: Planned) => id },
    { title: "WORKFLOW", of: ({ workflow, version }: Planned) => `${workflow}@${version}` },
    {
      title: "STATUS",
      of: ({ status }: Planned) => status,
      colour: ({ status }: Planned) => statusColour(status),
    },
    {
      title: "WOULD",
      of: ({ refusal }: Planned) => (refusal === null ? change.name : `be refused: ${refusal}`),
    },
  ];
  return head + table(columns, runs, screen) + missing;
}
