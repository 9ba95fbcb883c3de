import type { ReceivedMail } from "../books/evidence.ts";
import { Child } from "./child.ts";

/** The mail server, which lives through the whole day, and is not always to be reached. */
export class MailProcess {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(): Promise<MailProcess> {
    return new MailProcess(await Child.start("stand-ins/mail/main.ts", { arguments: ["0"] }));
  }

  /** Where it takes mails. */
  get smtpUrl(): string {
    return `smtp://127.0.0.1:${this.#child.news.smtp}`;
  }

  /** Where it shows them. */
  get url(): string {
    return this.#child.url;
  }

  outage(on: boolean): Promise<void> {
    return this.#child.tell("/_sim/outage", { on });
  }

  async mails(): Promise<readonly ReceivedMail[]> {
    const mails = await this.#child.ask<readonly Mail[]>("/messages");
    return mails.map(({ id, subject, deliveries }) => ({
      messageId: id,
      orderId: /order-\d+-\d+/.exec(subject)?.[0] ?? subject,
      deliveries,
    }));
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#child.end(signal);
  }
}

interface Mail {
  /** Its Message-ID. */
  readonly id: string;
  readonly subject: string;
  readonly deliveries: number;
}
