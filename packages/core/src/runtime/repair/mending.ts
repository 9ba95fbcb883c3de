/** Repairs of one run: read it, decide what to write, and decide again when something became of it meanwhile (S14). */
import { type Mend, type Order, type RepairCase, retryMend, rewindMend } from "../../engine/repair.ts";
import { type Resolution, resolveMend } from "../../engine/resolution.ts";
import { valuesOf } from "../../engine/values.ts";
import { RunEndedError, RunNotFoundError, RunStateError, StoreError } from "../../errors.ts";
import type { MendWrite, Outcome } from "../../store.ts";
import { type ClientCore, detailsOf } from "../client-core.ts";
import { orderCancel } from "../cancel-order.ts";
import { checkSize } from "../limits.ts";
import { noteText, type OrderOptions, orderOf } from "../notes.ts";
import { atATime } from "./selection.ts";

const TRIES_MAX = 5;

/** The operation has one id for all tries, so that it is done once, whatever becomes of its answers. */
export async function mend(
  core: ClientCore,
  id: string,
  options: OrderOptions,
  decide: (given: RepairCase) => Mend | Promise<Mend>,
): Promise<void> {
  const order = orderOf(options);
  const values = valuesOf(id, core.codec);
  for (let tries = 1; ; tries++) {
    const details = await detailsOf(core, id);
    const { abandons = [], ...decided } = await decide({ details, values, order });
    for (const { value } of decided.entries)
      checkSize(value ?? "", core.maxPayloadBytes, `run ${id}: what it is to be mended with`);
    const write: MendWrite = {
      kind: "mend",
      runId: id,
      attempt: details.run.attempt,
      length: details.journal.length,
      ...decided,
    };
    await cancelAll(core, abandons, order, id);
    const outcome = await core.write(write);
    if (outcome.is !== "changed") return checkDone(id, outcome, "to mend it");
    if (tries >= TRIES_MAX)
      throw new RunStateError(
        id,
        outcome.status,
        "it changed each time between being read and being written; nothing was changed by this: pause it first, or try again",
      );
  }
}

/** Before the run is changed: should this process die in between, they do not go on with nobody to know of them. */
async function cancelAll(
  core: ClientCore,
  children: readonly string[],
  { by }: Order,
  parent: string,
): Promise<void> {
  const reason = `run ${parent}, which called it, was rewound`;
  await atATime(children, async (child) => {
    try {
      await orderCancel(core, child, { by, reason });
    } catch (error) {
      if (!(error instanceof RunEndedError) && !(error instanceof RunNotFoundError)) throw error;
    }
  });
}

export function retry(
  core: ClientCore,
  id: string,
  options: OrderOptions & { readonly from?: string },
): Promise<void> {
  return mend(core, id, options, (given) => retryMend(given, options.from));
}

export function rewind(
  core: ClientCore,
  id: string,
  options: OrderOptions & { readonly to: string },
): Promise<void> {
  return mend(core, id, options, (given) => rewindMend(given, options.to));
}

export function resolve(
  core: ClientCore,
  id: string,
  options: OrderOptions & { readonly step: string; readonly resolution: Resolution },
): Promise<void> {
  return mend(core, id, options, (given) => resolveMend(given, options.step, options.resolution));
}

/** Resumes or pauses. */
export async function operate(
  core: ClientCore,
  id: string,
  operation: "resume" | "pause",
  options: OrderOptions,
): Promise<void> {
  const order = orderOf(options);
  const value = noteText(order, valuesOf(id, core.codec));
  const outcome = await core.write({ kind: "operate", runId: id, operation, id: order.id, value });
  if (outcome.is === "wrong-state") {
    const remedy =
      operation === "resume"
        ? "only a stuck or paused run can be resumed, and a failed or canceled one retried; nothing was changed"
        : "only a run that goes on by itself can be paused; nothing was changed";
    throw new RunStateError(id, outcome.status, remedy);
  }
  checkDone(id, outcome, `to ${operation} it`);
}

export function checkDone(id: string, outcome: Outcome, wish: string): void {
  if (outcome.is === "not-found") throw new RunNotFoundError(id);
  if (outcome.is === "refused")
    throw new StoreError(`run ${id}: the store refused ${wish}: ${outcome.reason}`);
  if (outcome.is !== "done")
    throw new StoreError(`run ${id}: the store can't tell what became of it: ${outcome.is}`);
}
