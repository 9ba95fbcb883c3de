/** Which runs a change is meant for: ids, ids from standard input, or all that a filter finds. */
import type { Client, RunSummary } from "@everstep/core";
import { failureOf, usageError } from "../failure.ts";
import type { Session } from "../frame.ts";
import { parseCount } from "../human.ts";
import type { Io } from "../io.ts";
import { readLines } from "../input/stdin.ts";
import type { Looker } from "../run-matching.ts";
import type { SelectionOptions } from "../run-selection.ts";
import type { Change } from "./change.ts";
import { namedRun } from "./named-run.ts";
import { selectedRuns, selectsNothing } from "./selected-runs.ts";

export interface TargetOptions extends SelectionOptions {
  readonly yes?: boolean;
  readonly all?: boolean;
  readonly limit?: string;
}

export interface Refused {
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

export interface Targets {
  readonly runs: readonly RunSummary[];
  /** Ids that are no run's. */
  readonly missing: readonly Refused[];
  /** One id was given: what becomes of it is the command's own end. */
  readonly single: boolean;
  /** An id was shortened: somebody has to say that the run is meant. */
  readonly isGuess: boolean;
}

const PAGE = 500;

export async function targetsOf(
  session: Pick<Session<TargetOptions>, "client" | "store" | "options" | "io" | "out">,
  ids: readonly string[],
  change: Change,
): Promise<Targets> {
  const { client, options, io } = session;
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : parseCount(options.limit, "--limit");
  if (ids.length === 0)
    return {
      runs: await filtered(session, options, change, { limit, now: io.now() }),
      missing: [],
      single: false,
      isGuess: false,
    };
  if (options.all === true || change.narrows === true || !selectsNothing(options))
    throw usageError("give ids or a filter, not both: an id already says which run is meant");
  const [first] = ids;
  if (ids.length === 1 && first !== undefined && first !== "-") {
    const { id, isGuess } = await namedRun(client, first, { io, yes: options.yes === true });
    return { runs: await summaries(client, [id]), missing: [], single: true, isGuess };
  }
  return named(client, ids, { io, yes: options.yes === true, limit });
}

async function filtered(
  looker: Looker,
  options: TargetOptions,
  { name, statuses, narrows }: Change,
  { limit, now }: { readonly limit: number; readonly now: number },
): Promise<readonly RunSummary[]> {
  if (options.all !== true && narrows !== true && selectsNothing(options))
    throw usageError(
      `say which runs to ${name}: ids, - for ids from standard input, or a filter such as --status or --workflow; --all means all`,
    );
  const runs: RunSummary[] = [];
  for await (const run of selectedRuns(looker, { ...options, status: options.status ?? statuses }, now)) {
    if (runs.length >= limit) break;
    runs.push(run);
  }
  return runs;
}

async function named(
  client: Client,
  words: readonly string[],
  { io, yes, limit }: { readonly io: Io; readonly yes: boolean; readonly limit: number },
): Promise<Targets> {
  const ids = new Set<string>();
  const missing: Refused[] = [];
  let guessed = false;
  for (const word of words)
    if (word === "-") for (const line of await readLines(io.stdin)) ids.add(line);
    else
      try {
        const { id, isGuess } = await namedRun(client, word, { io, yes });
        ids.add(id);
        guessed ||= isGuess;
      } catch (error) {
        missing.push({ id: word, ...failureOf(error).error });
      }
  const wanted = [...ids].slice(0, limit);
  const runs = await summaries(client, wanted);
  const found = new Set(runs.map(({ id }) => id));
  for (const id of wanted)
    if (!found.has(id)) missing.push({ id, code: "RUN_NOT_FOUND", message: "there is no such run" });
  return { runs, missing, single: false, isGuess: guessed };
}

/** In the order of the ids. */
async function summaries(client: Client, ids: readonly string[]): Promise<readonly RunSummary[]> {
  const found = new Map<string, RunSummary>();
  for (let at = 0; at < ids.length; at += PAGE) {
    const { runs } = await client.runs.list({ ids: ids.slice(at, at + PAGE), limit: PAGE });
    for (const run of runs) found.set(run.id, run);
  }
  return ids.flatMap((id) => found.get(id) ?? []);
}
