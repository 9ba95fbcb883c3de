import { randomUUID } from "node:crypto";
import { valuesOf } from "../engine/values.ts";
import { RunEndedError, RunNotFoundError, StoreError } from "../errors.ts";
import type { Outcome } from "../store.ts";
import type { ClientCore } from "./client-core.ts";

export interface CancelOrder {
  /** Default true: what the run did is undone. */
  readonly compensate?: boolean | undefined;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
}

/** Durable when it resolves; carried out later. A run that is canceled already is fine. */
export async function orderCancel(core: ClientCore, runId: string, order: CancelOrder): Promise<void> {
  const { compensate = true, reason, by } = order;
  const what = "the order to cancel it";
  const payload = valuesOf(runId, core.codec).toText(
    { compensate, ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) },
    "",
    what,
  );
  const message = { type: "cancel", id: randomUUID(), name: "", payload } as const;
  const outcome = await core.write({ kind: "message", runId, message });
  if (outcome.is === "ended" && outcome.status === "canceled") return;
  checkAccepted(runId, outcome, what);
}

/** Throws unless the run's inbox took what it was sent. */
export function checkAccepted(runId: string, outcome: Outcome, what: string): void {
  if (outcome.is === "not-found") throw new RunNotFoundError(runId);
  if (outcome.is === "ended") throw new RunEndedError(runId, outcome.status, what);
  if (outcome.is === "refused")
    throw new StoreError(`run ${runId}: the store refused ${what}: ${outcome.reason}`);
}
