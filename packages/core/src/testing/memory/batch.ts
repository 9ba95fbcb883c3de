/** A batch of writes, applied to a draft: who may write, then each write by itself. */
import { StoreError } from "../../errors.ts";
import type { Batch, Outcome, Write } from "../../store.ts";
import { advance } from "./advance.ts";
import type { Draft } from "./draft.ts";
import { emit } from "./events.ts";
import { importRun } from "./importing.ts";
import { leave } from "./leases.ts";
import { mend } from "./mending.ts";
import { send } from "./messages.ts";
import { operate } from "./operating.ts";
import { ship } from "./outbox.ts";
import { purge } from "./purging.ts";
import { start } from "./starting.ts";
import { pauseWorkflow } from "./workflows.ts";

/** What every write is applied with. `worker` is null when the batch came without a lease. */
export interface Scene {
  readonly draft: Draft;
  readonly now: number;
  readonly worker: number | null;
}

export function applyBatch(
  draft: Draft,
  { writes, lease }: Pick<Batch, "writes" | "lease">,
  now: number,
): readonly Outcome[] {
  if (lease === undefined) {
    if (writes.some(needsLease)) throw new StoreError("a batch without a lease claims, advances or leaves");
    return writes.map((write) => applyWrite({ draft, now, worker: null }, write));
  }
  const worker = draft.workers.get(lease.worker);
  if (worker === undefined) throw new StoreError(`there is no worker ${lease.worker} in this store`);
  // S2: also when the lease is gone by now; what was applied was applied.
  if (worker.batch === lease.batch) return worker.outcomes;
  if (worker.batch !== lease.batch - 1) {
    throw new StoreError(`worker ${worker.id} sent batch ${lease.batch} after batch ${worker.batch}`);
  }
  const outcomes = writes.map((write) => applyWrite({ draft, now, worker: worker.id }, write));
  draft.workers.set(worker.id, {
    ...(draft.workers.get(worker.id) ?? worker),
    batch: lease.batch,
    outcomes,
  });
  return outcomes;
}

const needsLease = (write: Write): boolean =>
  write.kind === "advance" || write.kind === "leave" || (write.kind === "start" && write.claim);

function applyWrite(scene: Scene, write: Write): Outcome {
  switch (write.kind) {
    case "start":
      return start(scene, write.run, { claim: write.claim && holdsLease(scene) });
    case "emit":
      return emit(scene, write.event);
    case "message":
      return send(scene, write.runId, write.message);
    case "operate":
      return operate(scene, write);
    case "mend":
      return mend(scene, write);
    case "pause-workflow":
      return pauseWorkflow(scene, write);
    case "purge":
      return purge(scene, write);
    case "import":
      return importRun(scene, write);
    case "shipped":
      return ship(scene, write);
    case "advance":
      return holdsLease(scene) ? advance(scene, write) : { is: "fenced" };
    case "leave":
      return holdsLease(scene) ? leave(scene) : { is: "fenced" };
  }
}

/** S3: nothing else gives the right to write, however late the write arrives. */
export function holdsLease({ draft, worker }: Scene): boolean {
  return worker !== null && draft.workers.get(worker)?.live === true;
}
