/** I12: the journals of ended runs, given to the same code again, call no body and come to the same end. */
import { isDeepStrictEqual } from "node:util";
import type { RunDetails } from "@everstep/core";
import { replay } from "@everstep/core/testing";
import type { Random } from "../random.ts";
import type { Workflows } from "./workflows.ts";

export interface ReplaysOptions {
  readonly workflows: Workflows;
  readonly random: Random;
  /** So many of them, drawn by lot. */
  readonly max: number;
}

/** How many at a time: each waits for its handler. */
const SIDE_BY_SIDE = 16;

export interface Replays {
  readonly problems: readonly string[];
  readonly count: number;
}

export async function replayAll(
  runs: readonly RunDetails[],
  { workflows, random, max }: ReplaysOptions,
): Promise<Replays> {
  const ended = random.shuffled(runs.filter(({ run }) => run.end !== null)).slice(0, max);
  const problems: string[] = [];
  for (let from = 0; from < ended.length; from += SIDE_BY_SIDE) {
    const some = ended.slice(from, from + SIDE_BY_SIDE);
    problems.push(...(await Promise.all(some.map((details) => problemsOf(details, workflows)))).flat());
  }
  return { problems, count: ended.length };
}

async function problemsOf(details: RunDetails, workflows: Workflows): Promise<string[]> {
  const { run } = details;
  const definition = Object.values(workflows).find(({ name }) => name === run.workflow);
  if (definition === undefined) return [`I12 ${run.id}: there is no workflow ${run.workflow}`];
  // What nobody took before the end comes too late.
  const again = await replay(definition, { ...details, messages: [] });
  const { adds } = again.is === "diverged" || again.is === "stuck" ? { adds: [] } : again;
  const isSame =
    again.is === "ended" &&
    again.status === run.end &&
    adds.join() === `end ${run.end}` &&
    (again.status !== "completed" || isDeepStrictEqual(again.result, JSON.parse(run.result ?? "null")));
  return isSame
    ? []
    : [`I12 ${run.id}: ended as ${String(run.end)}, and its replay is ${JSON.stringify(again)}`];
}
