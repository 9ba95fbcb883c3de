/**
 * The state of one Stripe account, as far as the shop uses it: PaymentIntents, their charges, refunds.
 *
 * Owns: what each operation does to that state, and a ledger of the operations that were executed.
 * Does not own: HTTP, idempotency keys, faults (stripe-server.ts).
 *
 * 1. An intent is charged at most once, whatever is asked of it.
 * 2. Refunds never add up to more than the charge; one that failed counts no more.
 * 3. The ledger has one line per executed operation; an answer replayed from a key adds none.
 */
import { randomBytes } from "node:crypto";
import type { EventType } from "./webhooks.ts";

export interface PaymentIntent {
  readonly id: string;
  readonly object: "payment_intent";
  readonly amount: number;
  readonly currency: string;
  readonly created: number;
  readonly livemode: false;
  readonly metadata: Readonly<Record<string, string>>;
  amount_received: number;
  payment_method: string | null;
  status: "requires_payment_method" | "requires_confirmation" | "processing" | "succeeded" | "canceled";
  latest_charge: string | null;
  last_payment_error: StripeFault | null;
}

/** As Stripe answers it to who asks for `expand[]=latest_charge`. */
export interface ExpandedIntent extends Omit<PaymentIntent, "latest_charge"> {
  readonly latest_charge: Charge | null;
}

interface Charge {
  readonly id: string;
  readonly object: "charge";
  readonly amount: number;
  readonly amount_refunded: number;
  /** Wholly. */
  readonly refunded: boolean;
  readonly payment_intent: string;
}

export interface Refund {
  readonly id: string;
  readonly object: "refund";
  readonly amount: number;
  readonly currency: string;
  readonly payment_intent: string;
  readonly charge: string;
  readonly metadata: Readonly<Record<string, string>>;
  status: "succeeded" | "failed";
  failure_reason?: string;
}

/** The `error` of Stripe's answer. */
export interface StripeFault {
  readonly type: "card_error" | "invalid_request_error" | "idempotency_error" | "api_error";
  readonly message: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  readonly payment_intent?: PaymentIntent;
}

export interface Answer {
  readonly status: number;
  readonly body: PaymentIntent | ExpandedIntent | Refund | { readonly error: StripeFault };
  /** True when it never began to execute: Stripe keeps no answer under the key of such a request. */
  readonly rejected?: true;
}

/** One executed operation. */
export interface Operation {
  readonly kind: "opened" | "charged" | "declined" | "refunded" | "refund-failed" | "canceled";
  readonly orderId: string;
  readonly intentId: string;
  readonly amount: number;
  /** Of the charge that was made or refunded. */
  readonly chargeId: string | null;
}

type Tell = (type: EventType, about: PaymentIntent | Refund) => void;

/** Stripe's test payment methods that are declined: code, decline code, message. */
const DECLINES: Readonly<Record<string, readonly [code: string, declineCode: string, message: string]>> = {
  pm_card_visa_chargeDeclined: ["card_declined", "generic_decline", "Your card was declined."],
  pm_card_visa_chargeDeclinedInsufficientFunds: [
    "card_declined",
    "insufficient_funds",
    "Your card has insufficient funds.",
  ],
  pm_card_chargeDeclinedProcessingError: [
    "processing_error",
    "processing_error",
    "An error occurred while processing your card.",
  ],
  pm_card_authenticationRequired: [
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
  ],
};

/** Stripe's test payment method whose refunds are accepted, and fail later. */
const REFUND_FAILS = "pm_card_refundFail";

export class StripeAccount {
  readonly operations: Operation[] = [];
  readonly #intents = new Map<string, PaymentIntent>();
  readonly #refunds: Refund[] = [];
  readonly #tell: Tell;

  /** `tell`: hears of every change of an intent, and of refunds that fail; it may keep what it is given. */
  constructor(tell: Tell) {
    this.#tell = (type, about) => tell(type, structuredClone(about));
  }

  intent(id: string): PaymentIntent | undefined {
    return this.#intents.get(id);
  }

  /** `form`: what is to be expanded; of that, it knows the charge. */
  retrieve(id: string, form: URLSearchParams): Answer {
    const intent = this.#intents.get(id);
    if (intent === undefined) return missing("intent", id);
    const isExpanded = [...form.values()].includes("latest_charge");
    return { status: 200, body: isExpanded ? this.#expanded(intent) : intent };
  }

  create(form: URLSearchParams): Answer {
    const amount = Number(form.get("amount"));
    if (!Number.isSafeInteger(amount) || amount < 1) return invalid("Invalid positive integer", "amount");
    if (form.get("currency") === null) return invalid("Missing required param: currency.", "currency");
    const intent = newIntent(form, amount);
    this.#intents.set(intent.id, intent);
    this.#record("opened", intent, amount);
    this.#tell("payment_intent.created", intent);
    return form.get("confirm") === "true" ? this.confirm(intent.id, form) : { status: 200, body: intent };
  }

  confirm(id: string, form: URLSearchParams): Answer {
    const intent = this.#confirmable(id, form);
    return "id" in intent ? this.#conclude(intent) : intent;
  }

  /** A confirmation that takes its time: the answer is that it is under way, and `settle` ends it. */
  process(id: string, form: URLSearchParams): Answer {
    const intent = this.#confirmable(id, form);
    if (!("id" in intent)) return intent;
    intent.status = "processing";
    this.#tell("payment_intent.processing", intent);
    return { status: 200, body: intent };
  }

  /** Ends what `process` began. */
  settle(id: string): void {
    const intent = this.#intents.get(id);
    if (intent?.status === "processing") this.#conclude(intent);
  }

  cancel(id: string): Answer {
    const intent = this.#intents.get(id);
    if (intent === undefined) return missing("intent", id);
    if (isUnderWayOrOver(intent)) return unexpectedState("cancel", intent);
    intent.status = "canceled";
    this.#record("canceled", intent, 0);
    this.#tell("payment_intent.canceled", intent);
    return { status: 200, body: intent };
  }

  refund(form: URLSearchParams): Answer {
    const id = form.get("payment_intent") ?? "";
    const intent = this.#intents.get(id);
    if (intent === undefined) return missing("payment_intent", id);
    const { latest_charge: charge } = intent;
    if (charge === null) return unexpectedState("refund", intent);
    const left = intent.amount - this.#refundedOf(id);
    if (left === 0)
      return failed(400, {
        type: "invalid_request_error",
        code: "charge_already_refunded",
        message: `Charge ${charge} has already been refunded.`,
      });
    const amount = Number(form.get("amount") ?? left);
    if (!Number.isSafeInteger(amount) || amount < 1) return invalid("Invalid positive integer", "amount");
    if (amount > left)
      return invalid(
        `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
        "amount",
      );
    const refund: Refund = {
      id: newId("re"),
      object: "refund",
      amount,
      currency: intent.currency,
      payment_intent: id,
      charge,
      metadata: metadataOf(form),
      status: "succeeded",
    };
    this.#refunds.push(refund);
    this.#record("refunded", intent, amount);
    return { status: 200, body: refund };
  }

  /** What has become of a refund in the end: with one test payment method it fails, and the money is the shop's again. */
  settleRefund(refund: Refund): void {
    const intent = this.#intents.get(refund.payment_intent);
    if (intent?.payment_method !== REFUND_FAILS) return;
    refund.status = "failed";
    refund.failure_reason = "expired_or_canceled_card";
    this.#record("refund-failed", intent, refund.amount);
    this.#tell("refund.failed", refund);
  }

  /** The intent with its payment method, or why it can't be confirmed. */
  #confirmable(id: string, form: URLSearchParams): PaymentIntent | Answer {
    const intent = this.#intents.get(id);
    if (intent === undefined) return missing("intent", id);
    if (isUnderWayOrOver(intent)) return unexpectedState("confirm", intent);
    intent.payment_method = form.get("payment_method") ?? intent.payment_method;
    return intent.payment_method === null ? unexpectedState("confirm", intent) : intent;
  }

  #conclude(intent: PaymentIntent): Answer {
    const decline = DECLINES[intent.payment_method ?? ""];
    return decline === undefined ? this.#charge(intent) : this.#decline(intent, decline);
  }

  #charge(intent: PaymentIntent): Answer {
    intent.status = "succeeded";
    intent.amount_received = intent.amount;
    intent.latest_charge = newId("ch");
    intent.last_payment_error = null;
    this.#record("charged", intent, intent.amount);
    this.#tell("payment_intent.succeeded", intent);
    return { status: 200, body: intent };
  }

  #decline(intent: PaymentIntent, [code, declineCode, message]: readonly [string, string, string]): Answer {
    const error: StripeFault = { type: "card_error", code, decline_code: declineCode, message };
    intent.status = "requires_payment_method";
    intent.payment_method = null;
    intent.last_payment_error = error;
    this.#record("declined", intent, 0);
    this.#tell("payment_intent.payment_failed", intent);
    return failed(402, { ...error, payment_intent: intent });
  }

  #expanded(intent: PaymentIntent): ExpandedIntent {
    const { id, amount, latest_charge: charge } = intent;
    const refunded = this.#refundedOf(id);
    const expanded: Charge | null =
      charge === null
        ? null
        : {
            id: charge,
            object: "charge",
            amount,
            amount_refunded: refunded,
            refunded: refunded === amount,
            payment_intent: id,
          };
    return { ...intent, latest_charge: expanded };
  }

  #refundedOf(intentId: string): number {
    return this.#refunds
      .filter(({ payment_intent: id, status }) => id === intentId && status === "succeeded")
      .reduce((sum, { amount }) => sum + amount, 0);
  }

  #record(kind: Operation["kind"], intent: PaymentIntent, amount: number): void {
    const orderId = intent.metadata["order_id"] ?? "";
    this.operations.push({ kind, orderId, intentId: intent.id, amount, chargeId: intent.latest_charge });
  }
}

export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`;
}

export function failed(status: number, error: StripeFault): Answer {
  return { status, body: { error } };
}

function newIntent(form: URLSearchParams, amount: number): PaymentIntent {
  const method = form.get("payment_method");
  return {
    id: newId("pi"),
    object: "payment_intent",
    amount,
    amount_received: 0,
    currency: form.get("currency") ?? "",
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    metadata: metadataOf(form),
    payment_method: method,
    status: method === null ? "requires_payment_method" : "requires_confirmation",
    latest_charge: null,
    last_payment_error: null,
  };
}

function metadataOf(form: URLSearchParams): Record<string, string> {
  const fields = [...form].flatMap(([name, value]) => {
    const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
    return key === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(fields);
}

function isUnderWayOrOver({ status }: PaymentIntent): boolean {
  return status === "processing" || status === "succeeded" || status === "canceled";
}

function invalid(message: string, param: string): Answer {
  return { ...failed(400, { type: "invalid_request_error", message, param }), rejected: true };
}

function missing(param: string, id: string): Answer {
  const message = `No such payment_intent: '${id}'`;
  return {
    ...failed(404, { type: "invalid_request_error", code: "resource_missing", message, param }),
    rejected: true,
  };
}

function unexpectedState(wish: string, intent: PaymentIntent): Answer {
  const message = `You cannot ${wish} this PaymentIntent because it has a status of ${intent.status}.`;
  const code = "payment_intent_unexpected_state";
  return failed(400, { type: "invalid_request_error", code, message, payment_intent: intent });
}
