import { EventEmitter, once } from "node:events";
import type { FaultInput } from "../stand-ins/stripe/faults.ts";
import type { Operation } from "../stand-ins/stripe/stripe-account.ts";
import { Child } from "./child.ts";

/** The Stripe simulator, which lives through the whole day. */
export class StripeProcess {
  readonly #child: Child;
  readonly #held: EventEmitter;

  private constructor(child: Child, held: EventEmitter) {
    this.#child = child;
    this.#held = held;
  }

  static async start(): Promise<StripeProcess> {
    const held = new EventEmitter();
    const child = await Child.start("stand-ins/stripe/main.ts", { onHeld: (orderId) => held.emit(orderId) });
    return new StripeProcess(child, held);
  }

  get port(): number {
    return this.#child.port;
  }

  async cause(fault: FaultInput): Promise<void> {
    await fetch(this.#url("faults"), { method: "POST", body: JSON.stringify(fault) });
  }

  async forgetKeys(): Promise<void> {
    await fetch(this.#url("forget-keys"), { method: "POST" });
  }

  /** True once it has executed the charge and holds the answer back; false when that takes too long. */
  holds(orderId: string, withinMs: number): Promise<boolean> {
    return once(this.#held, orderId, { signal: AbortSignal.timeout(withinMs) }).then(
      () => true,
      () => false,
    );
  }

  /** All that was executed. */
  async operations(): Promise<readonly Operation[]> {
    const answer = await fetch(this.#url("ledger"));
    const { operations } = (await answer.json()) as { readonly operations: readonly Operation[] };
    return operations;
  }

  async end(): Promise<void> {
    await this.#child.end("SIGKILL");
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.port}/_sim/${path}`;
  }
}
