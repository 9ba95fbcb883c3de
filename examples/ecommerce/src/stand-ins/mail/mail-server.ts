/**
 * A stand-in for a mail server and the mailboxes behind it: it takes mails over SMTP, and shows them over HTTP.
 *
 * - `GET /`: a page, `GET /messages`: the mails as JSON.
 * - `POST /_sim/outage { on }`, `POST /_sim/trouble { kind, times }`: how a test or the demo makes it fail.
 */
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import express, { type Express } from "express";
import { z } from "zod";
import { localRequestsOnly } from "../../local-requests.ts";
import { mailPage } from "./mail-page.ts";
import { Mailbox, type ReceivedMail } from "./mailbox.ts";
import { SmtpDesk, Trouble } from "./smtp-desk.ts";

export interface MailServerOptions {
  /** Of SMTP; default: one that is free. */
  readonly smtpPort?: number;
  /** Of HTTP; default: one that is free. */
  readonly httpPort?: number;
}

export interface MailServer {
  readonly smtpPort: number;
  readonly httpPort: number;
  readonly mails: () => readonly ReceivedMail[];
  close(): Promise<void>;
}

const Outage = z.strictObject({ on: z.boolean() });

/** On the loopback alone: it asks nobody for a password. */
export async function startMailServer({
  smtpPort = 0,
  httpPort = 0,
}: MailServerOptions = {}): Promise<MailServer> {
  const mailbox = new Mailbox();
  const desk = new SmtpDesk(mailbox);
  const smtp = desk.server.listen(smtpPort, "127.0.0.1");
  const http = pages(mailbox, desk).listen(httpPort, "127.0.0.1");
  await Promise.all([once(smtp, "listening"), once(http, "listening")]);
  return {
    smtpPort: portOf(smtp),
    httpPort: portOf(http),
    mails: () => mailbox.mails,
    close: async () => {
      http.closeAllConnections();
      http.close();
      for (const connection of desk.server.connections) connection.close();
      await new Promise<void>((done) => desk.server.close(done));
    },
  };
}

function pages(mailbox: Mailbox, desk: SmtpDesk): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use(localRequestsOnly());
  app.use(express.json());
  app.get("/", (_request, response) => void response.type("html").send(mailPage(mailbox.mails)));
  app.get("/messages", (_request, response) => void response.json(mailbox.mails));
  app.post("/_sim/outage", (request, response) => {
    desk.outage = Outage.parse(request.body).on;
    response.json({});
  });
  app.post("/_sim/trouble", (request, response) => {
    desk.cause(Trouble.parse(request.body));
    response.json({});
  });
  return app;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
