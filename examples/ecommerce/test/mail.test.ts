import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { FatalError } from "@everstep/core";
import type { BodyStep } from "../src/body-step.ts";
import { Mail } from "../src/mail.ts";
import { OrderCompleted } from "../src/order-completed.ts";
import { type MailServer, startMailServer } from "../src/stand-ins/mail/mail-server.ts";
import type { Trouble } from "../src/stand-ins/mail/smtp-desk.ts";

const order: OrderCompleted = {
  orderId: "o-1",
  userId: "ada",
  chargeId: "ch_1",
  totalCents: 123_456,
  itemCount: 3,
  completedAt: "2026-01-01T00:00:00.000Z",
};

function stepOf(idempotencyKey: string, signal = new AbortController().signal): BodyStep {
  return { idempotencyKey, attempt: 1, signal };
}

interface PostOffice extends MailServer {
  readonly mail: Mail;
  readonly send: (key?: string) => Promise<void>;
  readonly outage: (on: boolean) => Promise<unknown>;
  readonly trouble: (kind: Trouble["kind"], times?: number) => Promise<unknown>;
  readonly url: string;
}

/** A mail server of its own, for one test. */
async function openedPostOffice(): Promise<PostOffice> {
  const server = await startMailServer();
  onTestFinished(() => server.close());
  const mail = new Mail({
    url: `smtp://127.0.0.1:${server.smtpPort}`,
    from: "The shop <orders@shop.example>",
  });
  const url = `http://127.0.0.1:${server.httpPort}`;
  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/_sim/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return response.json();
  };
  return {
    ...server,
    mail,
    url,
    send: (key = "o-1/mail") => mail.confirm(order, stepOf(key)),
    outage: (on) => post("outage", { on }),
    trouble: (kind, times = 1) => post("trouble", { kind, times }),
  };
}

test("a confirmation names the order, its pieces and its total, and goes to the customer's mailbox", async () => {
  const { send, url } = await openedPostOffice();
  await send();
  const mails: unknown = await (await fetch(`${url}/messages`)).json();
  expect(mails).toEqual([
    {
      id: expect.stringMatching(/^<[0-9a-f]{32}@shop\.example>$/) as string,
      to: "ada@customers.example",
      subject: "Your order o-1",
      text: "Thank you for your order o-1: 3 pieces for $1,234.56. It is paid and on its way.",
      at: expect.any(String) as string,
      deliveries: 1,
    },
  ]);
  expect(await (await fetch(url)).text()).toContain("Your order o-1");
});

test("a mail whose acceptance got lost is sent again, and is known by its Message-ID to be the same (F5)", async () => {
  const { send, trouble, mails } = await openedPostOffice();
  await trouble("lose-reply");
  await expect(send()).rejects.toMatchObject({ code: "ECONNECTION" });
  await send();
  expect(mails()).toMatchObject([{ deliveries: 2 }]);
});

test("two steps send two mails", async () => {
  const { send, mails } = await openedPostOffice();
  await send("o-1/mail");
  await send("o-2/mail");
  expect(new Set(mails().map(({ id }) => id)).size).toBe(2);
});

describe("what a later try may not meet is left to be retried:", () => {
  test("a server that says 421", async () => {
    const { send, outage, mails } = await openedPostOffice();
    await outage(true);
    await expect(send()).rejects.toMatchObject({ responseCode: 421 });
    await outage(false);
    await send();
    expect(mails()).toHaveLength(1);
  });

  test("a mailbox that is busy", async () => {
    const { send, trouble } = await openedPostOffice();
    await trouble("try-later");
    await expect(send()).rejects.toMatchObject({ responseCode: 451 });
    await expect(send()).resolves.toBeUndefined();
  });

  test("a server that is not there", async () => {
    const office = await openedPostOffice();
    await office.close();
    await expect(office.send()).rejects.not.toThrow(FatalError);
  });
});

test("an address that is refused is refused for good", async () => {
  const { send, trouble, mails } = await openedPostOffice();
  await trouble("refuse");
  const refusal = send();
  await expect(refusal).rejects.toThrow(FatalError);
  await expect(refusal).rejects.toMatchObject({
    code: "mail_refused",
    message: expect.stringContaining("There is no such mailbox") as string,
  });
  expect(mails()).toEqual([]);
});

test("an aborted step waits for no server", async () => {
  const { mail } = await openedPostOffice();
  const aborted = AbortSignal.abort(new Error("canceled"));
  await expect(mail.confirm(order, stepOf("o-1/mail", aborted))).rejects.toMatchObject({ code: "EABORT" });
});

test.for([
  ["greets for ever", "220-"],
  ["greets, and says nothing more", "220 hello\r\n"],
] as const)("a server that %s is left, not only given up, when the step is aborted", async ([, words]) => {
  const left = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.write(words);
    socket.resume().on("error", () => undefined);
    socket.once("close", left.resolve);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const mail = new Mail({ url: `smtp://127.0.0.1:${port}`, from: "The shop <orders@shop.example>" });
  const abort = new AbortController();
  const sending = mail.confirm(order, stepOf("o-1/mail", abort.signal));
  server.once("connection", () => abort.abort(new Error("canceled")));
  await expect(sending).rejects.toMatchObject({ code: "EABORT" });
  await left.promise;
});

describe("a refusal of a server", () => {
  /** Speaks SMTP with these words, by the command that they answer. */
  async function speaking(words: Readonly<Record<string, string>>): Promise<Mail> {
    const server = createServer((socket) => {
      let isBody = false;
      socket.write(`${words["greeting"] ?? "220 hello"}\r\n`);
      socket.setEncoding("utf8").on("data", (text: string) => {
        const command = isBody ? (text.endsWith("\r\n.\r\n") ? "body" : undefined) : text.slice(0, 4).trim();
        if (command === undefined) return;
        isBody = command === "DATA" && words["DATA"] === undefined;
        socket.write(`${words[command] ?? (command === "DATA" ? "354 go on" : "250 ok")}\r\n`);
      });
      socket.on("error", () => undefined);
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return new Mail({ url: `smtp://127.0.0.1:${port}`, from: "The shop <orders@shop.example>" });
  }

  test("none is a mail that is taken", async () => {
    await expect((await speaking({})).confirm(order, stepOf("o-1/mail"))).resolves.toBeUndefined();
  });

  test.for([
    ["of everybody", { greeting: "554 not today" }, false],
    ["of the sender", { MAIL: "550 who are you" }, false],
    ["of the address", { RCPT: "550 nobody here" }, true],
    ["of the address, for now", { RCPT: "450 come back later" }, false],
    ["of the mail", { DATA: "554 no" }, true],
    ["of the mail, once it is read", { body: "554 that is spam" }, true],
    ["of the mail, for now", { body: "452 the disk is full" }, false],
  ] as const)("%s is final or not: %o %s", async ([, words, isFinal]) => {
    const mail = await speaking(words);
    const error: unknown = await mail.confirm(order, stepOf("o-1/mail")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error instanceof FatalError).toBe(isFinal);
  });
});

test.for([
  ["ada>\r\nBcc: eve@evil.example", "o-1"],
  ["eve@evil.example, ada", "o-1"],
  ["ada", "o-1\r\nBcc: eve@evil.example"],
] as const)("nobody else gets a mail to %o about %o", async ([userId, orderId]) => {
  expect(OrderCompleted.safeParse({ ...order, userId, orderId }).success).toBe(false);
});

test("the page shows what a customer wrote as text", async () => {
  const { mail, url } = await openedPostOffice();
  await mail.confirm({ ...order, orderId: "<b>o</b>" }, stepOf("o-1/mail"));
  expect(await (await fetch(url)).text()).toContain("&lt;b>o&lt;/b>");
});
