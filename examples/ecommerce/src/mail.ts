import { hash } from "node:crypto";
import { FatalError } from "@everstep/core";
import { createTransport, type Transporter } from "nodemailer";
import type { BodyStep } from "./body-step.ts";
import { dollars } from "./dollars.ts";
import type { OrderCompleted } from "./order-completed.ts";

export interface MailOptions {
  /** Of the mail server: `smtp://user:password@host:port`, `smtps://…`. */
  readonly url: string;
  readonly from: string;
}

/** A mail server that says nothing for so long has gone. One that never comes to the point is given up by the step, after 30 s. */
const SILENCE_MS = 25_000;

/**
 * The shop's mails, over SMTP. A server that has taken a mail may die before it says so, and the mail is then sent again; so each has a
 * Message-ID made of its step's idempotency key, by which mailboxes and people know that they have it already.
 */
export class Mail {
  readonly #transport: Transporter;

  constructor({ url, from }: MailOptions) {
    const patience = {
      connectionTimeout: SILENCE_MS,
      greetingTimeout: SILENCE_MS,
      socketTimeout: SILENCE_MS,
    };
    this.#transport = createTransport({ url, ...patience }, { from });
  }

  /**
   * Resolves when the server has taken the mail. Throws a `FatalError` when it refuses the address or the mail for good; all else may be
   * different at the next try: no connection, a server that is busy or closing, a password that somebody has to mend.
   */
  async confirm(order: OrderCompleted, step: BodyStep): Promise<void> {
    const { idempotencyKey, signal } = step;
    const message = { ...confirmationOf(order), messageId: messageIdOf(idempotencyKey), signal };
    try {
      await this.#transport.sendMail(message);
    } catch (error) {
      throw isFinal(error) ? new FatalError(error.message, { code: "mail_refused", cause: error }) : error;
    }
  }
}

/** An order names no address, only the customer: the shop gives each one a mailbox of its own. */
function addressOf(userId: string): string {
  return `${userId}@customers.example`;
}

/** Of any key a valid one, and of each another one. */
function messageIdOf(idempotencyKey: string): string {
  return `<${hash("sha256", idempotencyKey).slice(0, 32)}@shop.example>`;
}

function confirmationOf({ orderId, userId, totalCents, itemCount }: OrderCompleted): {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
} {
  const pieces = itemCount === 1 ? "1 piece" : `${itemCount} pieces`;
  return {
    to: addressOf(userId),
    subject: `Your order ${orderId}`,
    text: `Thank you for your order ${orderId}: ${pieces} for ${dollars(totalCents)}. It is paid and on its way.\n`,
  };
}

/** Said of this very mail, with a code that SMTP calls permanent; not of the connection, the login or the sender, which others share. */
function isFinal(error: unknown): error is Error {
  if (!(error instanceof Error && "responseCode" in error && "command" in error)) return false;
  const { responseCode, command } = error;
  return Number(responseCode) >= 500 && (command === "RCPT TO" || command === "DATA");
}
