import { Child } from "./child.ts";
import type { Random } from "../random.ts";

/** One operation that Stripe's stand-in has executed. */
export interface Operation {
  readonly kind: "opened" | "charged" | "declined" | "refunded" | "canceled";
  /** The run's id. */
  readonly orderId: string;
  readonly amount: number;
}

/** What a request to Stripe may meet. */
const TROUBLES = ["refuse-connection", "rate-limit", "slow", "fail", "fail-after", "drop-reply"] as const;
const REQUESTS = ["create", "confirm", "confirm", "refund", "cancel"] as const;
const SLOW_MS = 60;

/** The stand-in for Stripe, as a process of its own that nobody kills. */
export class Stripe {
  readonly #child: Child;
  #port = 0;

  private constructor(cache: string, onListening: () => void) {
    this.#child = new Child("@everstep/example-ecommerce/stripe-simulator", {
      args: ["0"],
      cache,
      onNews: (news) => {
        const { listening } = news as { readonly listening?: number };
        if (listening === undefined) return;
        this.#port = listening;
        onListening();
      },
      onExit: () => {},
    });
  }

  static async start(cache: string): Promise<Stripe> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stripe = new Stripe(cache, resolve);
    const failed = stripe.#child.exited.then(({ complaints }) => {
      throw new Error(`the stand-in for Stripe ended: ${complaints}`);
    });
    failed.catch(() => {});
    await Promise.race([promise, failed]);
    return stripe;
  }

  get port(): number {
    return this.#port;
  }

  /** The next such request of that run meets it. */
  async trouble(orderId: string, random: Random): Promise<void> {
    const [on, kind] = [random.pick(REQUESTS), random.pick(TROUBLES)];
    await fetch(this.#url("faults"), {
      method: "POST",
      body: JSON.stringify({ orderId, on, kind, ms: SLOW_MS, times: 1 }),
    });
  }

  async operations(): Promise<readonly Operation[]> {
    const answer = await fetch(this.#url("ledger"));
    return ((await answer.json()) as { readonly operations: readonly Operation[] }).operations;
  }

  async kill(): Promise<void> {
    await this.#child.kill();
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.port}/_sim/${path}`;
  }
}
