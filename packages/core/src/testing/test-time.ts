/** How a worker under test waits: in virtual time, which it lets pass itself, or in that of its store. */
import type { Duration } from "../context.ts";
import type { RunRecord, RunStatus, Store, WorkflowRef } from "../store.ts";
import type { BodyCalled, TestBodies } from "./test-bodies.ts";

export interface TestTime {
  /** Settles with the promise, and lets time pass for it where that is needed. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Until nothing can go on without time passing, a signal or a person. Rejects when a body does not end. */
  idle(): Promise<void>;
  skip(ms: number): Promise<void>;
  /** Until the run ended, or after so long; rejects when only a signal or a person can move it. */
  untilEnded(runId: string, withinMs: number): Promise<"ended" | "late">;
  /** A worker has died: until the store may know it. */
  afterDeath(): Promise<void>;
}

/** What of the test's worker and store a `TestTime` looks at. */
export interface Stage {
  readonly store: Store;
  readonly workflows: readonly WorkflowRef[];
  readonly bodies: TestBodies;
  /** By the real clock. */
  readonly patienceMs: number;
  readonly leaseMs: number;
  /** Starts a worker in the place of one that died; false when none did. */
  revive(): Promise<boolean>;
  why(runId: string): Promise<string>;
}

/** What the runs of a worker are about. */
export interface Activity {
  readonly now: number;
  /** In the hands of a worker, or due. */
  readonly busy: readonly RunRecord[];
  /** When the next of the others is due. */
  readonly nextDueAt: number | null;
}

const PAGE = 500;
/** Those of runs that neither ended nor need a person. */
export const LIVE: readonly RunStatus[] = ["ready", "running", "waiting", "compensating"];

export async function activityOf(stage: Stage): Promise<Activity> {
  const { store, workflows } = stage;
  const busy: RunRecord[] = [];
  let nextDueAt: number | null = null;
  let now = 0;
  for (const workflow of new Set(workflows.map(({ name }) => name))) {
    for (let after: string | null = ""; after !== null; ) {
      const page = await store.list(
        { workflow, status: LIVE },
        { limit: PAGE, ...(after === "" ? {} : { after }) },
      );
      now = page.now;
      after = page.next;
      for (const run of page.runs) {
        if (!hasCodeOf(stage, run)) continue;
        if (run.owner !== null || (run.dueAt !== null && run.dueAt <= now)) busy.push(run);
        else if (run.dueAt !== null) nextDueAt = Math.min(nextDueAt ?? run.dueAt, run.dueAt);
      }
    }
  }
  return { now, busy, nextDueAt };
}

/** The worker under test has the run's code. */
export function hasCodeOf({ workflows }: Stage, run: RunRecord): boolean {
  return workflows.some(({ name, version }) => name === run.workflow && version === run.version);
}

export async function recordOf({ store }: Stage, runId: string): Promise<RunRecord | undefined> {
  const { runs } = await store.list({ ids: [runId] }, { limit: 1 });
  return runs[0];
}

export async function needsHelp(stage: Stage, runId: string): Promise<Error> {
  const why = await stage.why(runId);
  return new Error(
    `run ${runId} can't go on by itself. ${why} Send a signal with worker.signal(), or mend what it is stuck by.`,
  );
}

export function neverEnds({ run, step, of }: BodyCalled, patience: Duration): Error {
  const what = of === "step" ? "the body" : of === "undo" ? "the compensation" : "the inDoubt function";
  return new Error(
    `run ${run}: ${what} of ${step} has not ended within ${patience} ms of real time. Mock it, or raise \`patience\`; if virtual time has to pass for it (the step has a \`timeout\`), call skip() instead`,
  );
}
