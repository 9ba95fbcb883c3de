/** The recipe for mail in real SMTP conversations. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestWorker, testWorker } from "@everstep/core/testing";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { expect, onTestFinished, test } from "vitest";
import { confirmationWith, Mailer } from "./mail.ts";

const completed = { orderId: "42", email: "ada@example.com" };

interface ServerOptions extends SMTPServerOptions {
  /** Before it is acknowledged; `cut` ends all connections. */
  readonly onMail?: (cut: () => void) => Promise<void>;
}

/** The Message-IDs that came, on a port. */
async function smtpServer(
  port: number,
  { onMail, ...options }: ServerOptions = {},
): Promise<readonly string[]> {
  const came: string[] = [];
  const sockets = new Set<Socket>();
  const cut = (): void => sockets.forEach((socket) => void socket.destroy());
  const take = async (mail: AsyncIterable<Buffer>): Promise<void> => {
    let text = "";
    for await (const chunk of mail) text += chunk.toString();
    came.push(/^Message-ID: (.*?)\r$/im.exec(text)?.[1] ?? "none");
    await onMail?.(cut);
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    async onData(stream, _session, callback) {
      await take(stream);
      callback();
    },
    ...options,
  });
  server.on("error", () => {}); // of a connection that is cut
  server.server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(port, "127.0.0.1");
  await once(server.server, "listening");
  onTestFinished(() => new Promise((resolve) => server.close(resolve)));
  return came;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function shop(port: number): Promise<{
  readonly worker: TestWorker;
  readonly confirmation: ReturnType<typeof confirmationWith>;
}> {
  const confirmation = confirmationWith(new Mailer(`smtp://127.0.0.1:${port}`, "shop@shop.example"));
  const worker = await testWorker({ workflows: [confirmation], patience: "20s" });
  onTestFinished(() => worker.stop());
  return { worker, confirmation };
}

test("an outage of two hours costs no mail", async () => {
  const confirmation = confirmationWith({ send: async () => {} });
  await using worker = await testWorker({ workflows: [confirmation] });
  worker.fail("send", { times: 50, error: new Error("connect ECONNREFUSED") });
  await worker.client.emit("order:completed", { orderId: "42", email: "ada@example.com" }, { id: "42" });
  await worker.skip("6h");
  expect(await worker.client.runs.count({ workflow: "confirmation", status: "completed" })).toBe(1);
});

test("after two hours without a mail server, the mail comes once", async () => {
  const port = await freePort();
  const { worker, confirmation } = await shop(port);
  const run = await worker.start(confirmation, completed, { id: "42" });
  await worker.skip("2h");
  expect(await worker.client.runs.why("42")).toContain("ECONNREFUSED");
  const came = await smtpServer(port);
  await worker.result(run);
  expect(came).toHaveLength(1);
  // Thousands would be a nuisance to who runs the mail server.
  expect(worker.calls.length).toBeGreaterThan(20);
  expect(worker.calls.length).toBeLessThan(150);
});

test("a mail whose acknowledgement is lost comes twice, with one Message-ID", async () => {
  const port = await freePort();
  const { worker, confirmation } = await shop(port);
  let losses = 1;
  const came = await smtpServer(port, {
    onMail: async (cut) => {
      if (losses-- > 0) cut();
    },
  });
  await worker.result(await worker.start(confirmation, completed));
  expect(came).toHaveLength(2);
  expect(new Set(came).size).toBe(1);
});

test("a worker that dies after the mail was accepted sends it again, with the same Message-ID", async () => {
  const port = await freePort();
  const { worker, confirmation } = await shop(port);
  let deaths = 1;
  const came = await smtpServer(port, {
    onMail: async () => {
      if (deaths-- > 0) await worker.crash();
    },
  });
  await worker.start(confirmation, completed, { id: "42" });
  await worker.result("42");
  expect(came).toHaveLength(2);
  expect(new Set(came).size).toBe(1);
});

test("an address that is refused fails the run; a server that is busy does not", async () => {
  const port = await freePort();
  const { worker, confirmation } = await shop(port);
  let busy = 3;
  const came = await smtpServer(port, {
    onRcptTo({ address }, _session, callback) {
      if (address.startsWith("nobody")) return callback(smtpError(550, "no such user"));
      return busy-- > 0 ? callback(smtpError(450, "try again later")) : callback();
    },
  });
  const lost = await worker.start(confirmation, { orderId: "1", email: "nobody@example.com" });
  await expect(worker.result(lost)).rejects.toThrow("nobody@example.com is refused");
  await worker.result(await worker.start(confirmation, completed));
  expect(came).toHaveLength(1);
});

function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
