/** I12: the journal of an ended run, replayed with the same code, comes to the same end and executes no body. */
import { strict as assert } from "node:assert";
import type { AdvanceWrite, Outcome, Store, Write } from "../../src/index.ts";
import { Worker } from "../../src/index.ts";
import { memoryStore, type RunDump, virtualClock } from "../../src/testing/index.ts";
import { interpreter, type Program } from "./programs.ts";

export async function replaysWithoutBodies(run: RunDump, program: Program): Promise<void> {
  const clock = virtualClock({ start: run.endedAt ?? 0 });
  const bodies: string[] = [];
  const definition = interpreter({
    effect: async (name) => {
      bodies.push(name);
    },
    failsNow: (name) => {
      bodies.push(name);
      return false;
    },
  });
  const written: AdvanceWrite[] = [];
  const store = replayStore(run, written);
  const worker = new Worker({ store, clock, workflows: [definition], logger: silent });
  const started = worker.start();
  await clock.advance(100);
  await started;
  assert.deepEqual(bodies, [], "I12: a replay executes no body");
  const last = written.at(-1);
  assert.ok(last?.then?.do === "end", `I12: a replay of ${program.join(",")} ends`);
  const { status, result = null, error = null } = last.then;
  assert.deepEqual(
    { status, result, error: message(error) },
    { status: run.end, result: run.result, error: message(run.error) },
    "I12: a replay comes to the same end",
  );
  const entries = written.flatMap((write) => write.entries).map(({ kind, key }) => `${kind} ${key}`);
  assert.deepEqual(entries, [`end ${run.end}`], "I12: a replay adds nothing but the end");
  const stopped = worker.stop();
  await clock.advance(100);
  await stopped;
}

/** Errors of the handler carry the stack of this process: the message is what counts. */
function message(error: string | null): unknown {
  return error === null ? null : (JSON.parse(error) as { readonly message: unknown }).message;
}

/** Hands out this run as it was before its end, and only notes what is written. */
function replayStore(run: RunDump, written: AdvanceWrite[]): Store {
  const base = memoryStore({ clock: virtualClock({ start: run.endedAt ?? 0 }) });
  const journal = run.journal.filter(({ kind }) => kind !== "end");
  const forward = { ...run, phase: "forward", end: null, owner: 1, result: null, error: null } as const;
  let claims = [{ run: { ...forward, attempt: 99 }, journal, messages: [], retries: [] }];
  const outcome = (write: Write): Outcome => {
    if (write.kind === "advance") written.push(write);
    return { is: "done" };
  };
  return {
    transact: () => Promise.reject(new Error("no transaction is expected")),
    join: (request) => base.join(request),
    renew: (lease) => base.renew(lease),
    read: (id) => base.read(id),
    list: (filter, page) => base.list(filter, page),
    count: (filter) => base.count(filter),
    watch: (listener) => base.watch(listener),
    close: () => base.close(),
    commit: async ({ writes }) => writes.map(outcome),
    claim: async () => {
      const answer = { now: run.endedAt ?? 0, claims, inboxes: [], nextDueAt: null };
      claims = [];
      return answer;
    },
  };
}

const ignore = (): void => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
