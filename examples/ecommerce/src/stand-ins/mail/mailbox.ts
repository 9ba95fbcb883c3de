/** A mail as it lies in the mailbox, once, however often it was delivered. */
export interface ReceivedMail {
  /** Its Message-ID. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** ISO 8601: when it came first. */
  readonly at: string;
  readonly deliveries: number;
}

/** What mail programs do with a Message-ID: a mail that they have already is not shown twice. */
export class Mailbox {
  readonly #mails = new Map<string, ReceivedMail>();

  deliver(mail: Omit<ReceivedMail, "at" | "deliveries">): void {
    const known = this.#mails.get(mail.id) ?? { ...mail, at: new Date().toISOString(), deliveries: 0 };
    this.#mails.set(mail.id, { ...known, deliveries: known.deliveries + 1 });
  }

  /** The newest last. */
  get mails(): readonly ReceivedMail[] {
    return [...this.#mails.values()];
  }
}
