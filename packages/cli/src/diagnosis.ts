/** What is wrong with a store, its workers and its runs as a whole; each with what to do about it. */
import type { Figures, Finding, LiveFigures, Store, WorkerLoad, WorkflowRecord } from "@everstep/core";
import { durationText } from "./human.ts";
import { commandLine } from "./shell-word.ts";

/** More than clocks that are kept by NTP differ. */
const SKEW_MAX_MS = 2000;
/** Due for so long though a worker has the code: all its slots are taken, or it does not get on. */
const WEDGED_MS = 60_000;

interface Seen {
  readonly workers: readonly WorkerLoad[];
  readonly workflows: readonly WorkflowRecord[];
  readonly figures: Figures;
  /** Of this machine, when the store told its own time. */
  readonly here: number;
  readonly named: readonly string[];
}

/** `named`: options by which the person named the store, for the commands of the remedies. */
export async function diagnose(
  store: Store,
  now: () => number,
  named: readonly string[],
): Promise<readonly Finding[]> {
  const [database, workers, workflows] = await Promise.all([
    store.examine(),
    store.workers(),
    store.workflows(),
  ]);
  const before = now();
  const { now: at } = await store.list({}, { limit: 1 });
  const here = (before + now()) / 2;
  const figures = await store.figures({ endedSince: at, createdSince: at });
  const seen = { workers, workflows, figures: { ...figures, now: at }, here, named };
  return [...database, clock(seen), ...workerFindings(seen), ...runFindings(seen), ...pauses(seen)];
}

function clock({ figures, here }: Seen): Finding {
  const skew = Math.abs(here - figures.now);
  const found = `this machine and the store differ by ${durationText(skew)}`;
  if (skew <= SKEW_MAX_MS) return fine("clock", found);
  return {
    check: "clock",
    is: "warning",
    found,
    remedy: "keep both clocks with NTP: instants that a worker gives (`at`) are read by the store's",
  };
}

function workerFindings({ workers, figures: { now } }: Seen): readonly Finding[] {
  const expired = workers.filter(({ expiresAt }) => expiresAt <= now);
  const count = workers.length - expired.length;
  if (expired.length === 0) return [fine("workers", `${count} live`)];
  const names = expired.map(({ id, host, pid, runs }) => `${id} (${host}, process ${pid}, ${runs} runs)`);
  return [
    {
      check: "workers",
      is: count === 0 ? "problem" : "warning",
      found: `${count} live; gone, and not taken over: ${names.join(", ")}`,
      remedy:
        count === 0
          ? "start a worker: it takes their runs over within its first seconds"
          : "live workers take them over within seconds; if this stays so, look at their logs",
    },
  ];
}

function runFindings({ figures: { live, now }, workflows, named }: Seen): readonly Finding[] {
  const isServed = (figure: LiveFigures): boolean =>
    workflows.some(
      ({ name, version, liveWorkers }) =>
        name === figure.workflow && version === figure.version && liveWorkers > 0,
    );
  const isPaused = (figure: LiveFigures): boolean =>
    workflows.some(({ name, paused }) => name === figure.workflow && paused !== null);
  const late = live.filter(
    (figure) =>
      figure.status === "ready" &&
      isServed(figure) &&
      !isPaused(figure) &&
      figure.firstDueAt !== null &&
      figure.firstDueAt < now - WEDGED_MS,
  );
  return [
    ...byVersion(
      live.filter((figure) => figure.status !== "stuck" && !isServed(figure)),
      { now, named },
    ),
    ...(late.length === 0
      ? [fine("lag", "what live workers have the code for is taken on within a minute")]
      : late.map((figure) => wedged(figure, now))),
    stuck(live, named),
  ];
}

/** Runs whose code no live worker has. */
function byVersion(
  live: readonly LiveFigures[],
  { now, named }: Pick<Seen, "named"> & { readonly now: number },
): readonly Finding[] {
  const groups = Map.groupBy(live, ({ workflow, version }) => `${workflow}@${version}`);
  if (groups.size === 0)
    return [fine("versions", "each run that is under way has a live worker with its version")];
  return [...groups].map(([name, group]) => {
    const which = group
      .slice(0, 1)
      .flatMap(({ workflow, version }) => ["--workflow", workflow, "--run-version", version]);
    const move = commandLine("move", [], [...which, "--workflows", "./workflows.ts", "--dry-run", ...named]);
    const runs = group.reduce((sum, figure) => sum + figure.runs, 0);
    const isDue = group.some(({ firstDueAt }) => firstDueAt !== null && firstDueAt <= now);
    return {
      check: "versions",
      is: isDue ? "problem" : "warning",
      found: `${count(runs)} of ${name} under way, ${isDue ? "some of them due, " : ""}and no live worker has it`,
      remedy: `deploy a worker with that version, or see whether its runs fit one that workers have: ${move}`,
    };
  });
}

function wedged({ workflow, version, runs, firstDueAt }: LiveFigures, now: number): Finding {
  return {
    check: "lag",
    is: "warning",
    found: `${count(runs)} of ${workflow}@${version} ready, the first for ${durationText(now - (firstDueAt ?? now))}`,
    remedy:
      "its workers are full or do not get on: start more, raise their `concurrency`, or look at their logs",
  };
}

function stuck(live: readonly LiveFigures[], named: readonly string[]): Finding {
  const runs = live.filter(({ status }) => status === "stuck").reduce((sum, figure) => sum + figure.runs, 0);
  if (runs === 0) return fine("stuck", "no run needs a person");
  return {
    check: "stuck",
    is: "warning",
    found: `${count(runs)} in need of a person`,
    remedy: `${commandLine("list", [], ["--status", "stuck", ...named])}, then everstep why of each`,
  };
}

function pauses({ workflows, named }: Seen): readonly Finding[] {
  const paused = new Map(
    workflows.flatMap(({ name, paused: note }) => (note === null ? [] : [[name, note.at]])),
  );
  if (paused.size === 0) return [fine("paused", "no workflow is paused")];
  return [...paused].map(([name, at]) => ({
    check: "paused",
    is: "warning",
    found: `workflow ${name} is paused since ${new Date(at).toISOString()}`,
    remedy: `when its reason is gone: ${commandLine("resume", [], ["--workflow", name, ...named])}`,
  }));
}

function count(runs: number): string {
  return runs === 1 ? "1 run" : `${runs} runs`;
}

function fine(check: string, found: string): Finding {
  return { check, is: "fine", found, remedy: null };
}
