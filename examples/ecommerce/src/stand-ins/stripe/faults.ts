import { z } from "zod";

/** A trouble that the next requests of one order meet. */
export interface Fault {
  readonly orderId: string;
  readonly on: "create" | "confirm" | "cancel" | "refund";
  /**
   * - `refuse-connection`: cut before anything is executed; `rate-limit`: 429, nothing executed;
   * - `slow`: executed `ms` later, also when the caller has gone meanwhile;
   * - `refuse`: a 400 that is kept under the key, nothing executed, as for a refund that the shop's balance does not cover;
   * - `fail`: a 500 that is kept under the key, nothing executed; `fail-after`: the same, but executed;
   * - `process`: a confirmation is answered with "processing", and its end comes `ms` later;
   * - `drop-reply`: executed, then the connection is cut; `hold-reply`: executed, never answered, and the watcher is told.
   */
  readonly kind:
    | "refuse-connection"
    | "rate-limit"
    | "slow"
    | "refuse"
    | "fail"
    | "fail-after"
    | "process"
    | "drop-reply"
    | "hold-reply";
  readonly ms: number;
  /** How many requests meet it. */
  readonly times: number;
}

export interface FaultInput extends Pick<Fault, "orderId" | "on" | "kind"> {
  readonly ms?: number | undefined;
  readonly times?: number | undefined;
}

export const Fault: z.ZodType<Fault, FaultInput> = z.strictObject({
  orderId: z.string(),
  on: z.enum(["create", "confirm", "cancel", "refund"]),
  kind: z.enum([
    "refuse-connection",
    "rate-limit",
    "slow",
    "refuse",
    "fail",
    "fail-after",
    "process",
    "drop-reply",
    "hold-reply",
  ]),
  ms: z.int().min(0).default(0),
  times: z.int().min(1).default(1),
});

/** What every answer waits for. */
export const Latency: z.ZodType<{ readonly ms: number }> = z.strictObject({ ms: z.int().min(0) });

export class Faults {
  readonly #waiting: Fault[] = [];

  add(fault: Fault): void {
    this.#waiting.push(...Array.from({ length: fault.times }, () => fault));
  }

  /** The oldest one that waits for such a request; it is used up. */
  take(on: string, orderId: string): Fault | undefined {
    const fault = this.#waiting.find((waiting) => waiting.on === on && waiting.orderId === orderId);
    if (fault !== undefined) this.#waiting.splice(this.#waiting.indexOf(fault), 1);
    return fault;
  }
}
