/** The conversation over SMTP, and the troubles of it. */
import { buffer } from "node:stream/consumers";
import { callbackify } from "node:util";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { z } from "zod";
import type { Mailbox } from "./mailbox.ts";

/** A trouble that the next conversations meet. */
export interface Trouble {
  /**
   * - `refuse`: 550, there is no such address; `try-later`: 451, the mailbox is busy;
   * - `lose-reply`: the mail is taken, and the connection closed before the sender hears of it.
   */
  readonly kind: "refuse" | "try-later" | "lose-reply";
  /** How many conversations meet it. */
  readonly times: number;
}

export const Trouble: z.ZodType<Trouble, Omit<Trouble, "times"> & { readonly times?: number | undefined }> =
  z.strictObject({
    kind: z.enum(["refuse", "try-later", "lose-reply"]),
    times: z.int().min(1).default(1),
  });

type Session = Parameters<SMTPServer["onData"]>[1];
type DataStream = Parameters<SMTPServer["onData"]>[0];

export class SmtpDesk {
  readonly server: SMTPServer;
  readonly #mailbox: Mailbox;
  readonly #troubles: Trouble["kind"][] = [];
  /** While it lasts nobody gets further than the greeting. */
  outage: boolean = false;

  constructor(mailbox: Mailbox) {
    this.#mailbox = mailbox;
    this.server = new SMTPServer({
      disabledCommands: ["AUTH", "STARTTLS"],
      disableReverseLookup: true,
      onConnect: (_session, done) =>
        done(this.outage ? refusal(421, "The mail server is not available") : undefined),
      onRcptTo: (_address, _session, done) => done(this.#refusal()),
      onData: callbackify((stream: DataStream, session: Session) => this.#take(stream, session)),
    });
    // Of a single connection, such as one that its client cut: the others go on.
    this.server.on("error", () => undefined);
  }

  cause({ kind, times }: Trouble): void {
    this.#troubles.push(...Array.from({ length: times }, () => kind));
  }

  #refusal(): Error | undefined {
    if (this.#meets("refuse")) return refusal(550, "There is no such mailbox");
    return this.#meets("try-later") ? refusal(451, "The mailbox is busy") : undefined;
  }

  async #take(stream: DataStream, session: Session): Promise<void> {
    const { messageId = "", to = [], subject = "", text = "" } = await PostalMime.parse(await buffer(stream));
    const address = to[0]?.address ?? "";
    this.#mailbox.deliver({ id: messageId, to: address, subject, text: text.trim() });
    if (!this.#meets("lose-reply")) return;
    for (const connection of this.server.connections) if (connection.session === session) connection.close();
  }

  /** Uses the trouble up. */
  #meets(kind: Trouble["kind"]): boolean {
    const index = this.#troubles.indexOf(kind);
    if (index >= 0) this.#troubles.splice(index, 1);
    return index >= 0;
  }
}

function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
