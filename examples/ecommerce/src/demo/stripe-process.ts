import { EventEmitter, once } from "node:events";
import type { FaultInput } from "../stand-ins/stripe/faults.ts";
import type { Operation } from "../stand-ins/stripe/stripe-account.ts";
import { Child } from "./child.ts";

/** With which Stripe signs its webhooks. */
export const WEBHOOK_SECRET = "whsec_demo";

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
    const child = await Child.start("stand-ins/stripe/main.ts", {
      onNews: (news) => void (news.held !== undefined && held.emit(news.held)),
    });
    return new StripeProcess(child, held);
  }

  get port(): number {
    return this.#child.port;
  }

  cause(fault: FaultInput): Promise<void> {
    return this.#child.tell("/_sim/faults", fault);
  }

  forgetKeys(): Promise<void> {
    return this.#child.tell("/_sim/forget-keys");
  }

  /** Each answer takes that long from now on. */
  slowDown(ms: number): Promise<void> {
    return this.#child.tell("/_sim/latency", { ms });
  }

  sendWebhooksTo(url: string): Promise<void> {
    return this.#child.tell("/_sim/webhooks", { url, secret: WEBHOOK_SECRET });
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
    const { operations } = await this.#child.ask<{ operations: readonly Operation[] }>("/_sim/ledger");
    return operations;
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#child.end(signal);
  }
}
