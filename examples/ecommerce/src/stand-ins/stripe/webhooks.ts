import { Stripe } from "stripe";
import { z } from "zod";
import { newId, type PaymentIntent, type Refund } from "./stripe-account.ts";

/** Where webhooks go, and what they are signed with. */
export interface WebhookTarget {
  readonly url: string;
  readonly secret: string;
}

export const WebhookTarget: z.ZodType<WebhookTarget> = z.strictObject({
  url: z.url(),
  secret: z.string().min(1),
});

/** What happened to an intent or to a refund, as Stripe names it. */
export type EventType =
  | "payment_intent.created"
  | "payment_intent.processing"
  | "payment_intent.succeeded"
  | "payment_intent.payment_failed"
  | "payment_intent.canceled"
  | "refund.failed";

/** Every event is sent so often: Stripe promises no single delivery. */
const DELIVERIES = 2;
/** Each is held back for up to so long, and so they overtake each other. */
const SHUFFLE_MS = 150;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 5_000;

/** Sends webhooks as Stripe does: signed, repeated, in whatever order, and again until somebody answers 2xx. */
export class Webhooks {
  #target: WebhookTarget | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();

  aim(target: WebhookTarget): void {
    this.#target = target;
  }

  send(type: EventType, about: PaymentIntent | Refund): void {
    if (this.#target === undefined) return;
    const payload = JSON.stringify({
      id: newId("evt"),
      object: "event",
      type,
      created: Math.floor(Date.now() / 1000),
      livemode: false,
      data: { object: about },
    });
    for (let copy = 0; copy < DELIVERIES; copy++) this.#later(Math.random() * SHUFFLE_MS, payload, 0);
  }

  /** Sends no more. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#target = undefined;
  }

  #later(ms: number, payload: string, failures: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#deliver(payload).then(
        (taken) => this.#afterwards(taken, payload, failures),
        () => this.#afterwards(false, payload, failures),
      );
    }, ms);
    this.#timers.add(timer);
  }

  #afterwards(taken: boolean, payload: string, failures: number): void {
    if (taken || this.#target === undefined) return;
    this.#later(Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures), payload, failures + 1);
  }

  async #deliver(payload: string): Promise<boolean> {
    if (this.#target === undefined) return false;
    const { url, secret } = this.#target;
    // Signed anew each time, as the signature is refused after a while.
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
    const headers = { "content-type": "application/json", "stripe-signature": signature };
    const response = await fetch(url, { method: "POST", headers, body: payload });
    await response.arrayBuffer();
    return response.ok;
  }
}
