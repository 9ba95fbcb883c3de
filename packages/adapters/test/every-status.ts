/** Whether a store's SQL for statuses is `statusOf` of core. */
import { type RunStatus, statusOf, type Store } from "@everstep/core";
import { expect } from "vitest";
import { advance, Hand, start } from "./hand.ts";

const STATUSES = [
  "ready",
  "running",
  "waiting",
  "compensating",
  "stuck",
  "completed",
  "failed",
  "canceled",
] as const satisfies readonly RunStatus[];

/** Every combination that the constraints of the schema allow. */
async function everyState(store: Store): Promise<void> {
  const worker = await Hand.join(store);
  const phases = ["forward", "closing", "compensating"] as const;
  const far = Date.now() + 1e9;
  const parks = [null, 1, far].map((dueAt) => ({ do: "park", dueAt, inbox: 0, waits: [] }) as const);
  const stuck = { do: "stick", stuck: { code: "BUG", message: '"x"', at: 1 } } as const;
  const ends = (["completed", "failed", "canceled"] as const).map(
    (status) => ({ do: "end", status }) as const,
  );
  const thens = [undefined, { do: "release" } as const, stuck, ...parks, ...ends];
  let number = 0;
  for (const phase of phases) {
    for (const then of thens) {
      const id = `run-${number++}`;
      await worker.commit(
        start(id, { claim: true }),
        advance(id, { phase, ...(then === undefined ? {} : { then }) }),
      );
    }
  }
  await store.commit({ writes: [start("new"), start("later", { due: { at: far } })] });
}

/** Of an empty store. */
export async function expectStatusesOfCore(store: Store): Promise<void> {
  await everyState(store);
  const { runs, now } = await store.list({}, { limit: 100 });
  expect(runs.length).toBe(29);
  const seen = new Set<RunStatus>();
  for (const run of runs) {
    const status = statusOf(run, now);
    seen.add(status);
    for (const other of STATUSES) {
      const listed = await store.count({ ids: [run.id], status: other });
      expect(listed, `${run.id} is ${status}, is it listed as ${other}?`).toBe(other === status ? 1 : 0);
    }
  }
  expect(seen.size).toBe(STATUSES.length);
}
