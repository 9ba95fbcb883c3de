import { createHash } from "node:crypto";
import { FatalError, type StepContext, type Workflow, workflow } from "@everstep/core";
import { createTransport, type Transporter } from "nodemailer";

export interface Mail {
  /** One recipient: what one address refuses must not be sent again to another. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export class Mailer {
  readonly #transport: Transporter;
  readonly #from: string;

  constructor(url: string, from: string) {
    // Together shorter than the step's timeout: the body then ends by itself, and says what it waited for.
    const patience = { connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 15_000 };
    this.#transport = createTransport({ url, ...patience });
    this.#from = from;
  }

  async send(mail: Mail, step: Pick<StepContext, "idempotencyKey" | "signal">): Promise<void> {
    const digest = createHash("sha256").update(step.idempotencyKey).digest("hex");
    const messageId = `<${digest}@shop.example>`;
    try {
      await this.#transport.sendMail({ ...mail, from: this.#from, messageId, signal: step.signal });
    } catch (error) {
      if (!refusesRecipient(error)) throw error;
      throw new FatalError(`${mail.to} is refused`, { code: "recipient_refused", cause: error });
    }
  }
}

/** A 5xx to RCPT TO is about the address. Any other answer, or none, is about the server: it may be better in an hour. */
function refusesRecipient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { command, responseCode } = error as Error & { command?: string; responseCode?: number };
  return command === "RCPT TO" && (responseCode ?? 0) >= 500;
}

export interface Completed {
  readonly orderId: string;
  readonly email: string;
}

export const confirmationWith = (mailer: Pick<Mailer, "send">): Workflow<Completed, void> =>
  workflow({ name: "confirmation", on: "order:completed" }, async (ctx, { orderId, email }: Completed) => {
    const mail = { to: email, subject: `Order ${orderId}`, text: `Your order ${orderId} is complete.` };
    await ctx.step("send", (step) => mailer.send(mail, step), {
      timeout: "30s",
      // At most 1 s, 4 s and 16 s apart, then slower and slower, without end.
      retry: { initialDelay: "1s", factor: 4, maxDelay: "5m" },
    });
  });
