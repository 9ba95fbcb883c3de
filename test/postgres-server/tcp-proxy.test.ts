/** The proxy between a client and a server that answers each line with it, and a reply that looks like the end of one of Postgres. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TcpProxy } from "./tcp-proxy.ts";

const READY = "Z\0\0\0\u0005I";

let server: Server;
let proxy: TcpProxy;
let heard: string[];
/** The server's ends of the connections. */
let sessions: Socket[];
let clients: Socket[];

beforeEach(async () => {
  [heard, sessions, clients] = [[], [], []];
  server = createServer((session) => {
    sessions.push(session);
    session.setEncoding("latin1").on("error", () => {});
    session.on("data", (text: string) => {
      heard.push(text);
      // In two pieces, for an answer may come in any number of them.
      session.write(`echo ${text} Z\0`, "latin1");
      setImmediate(() => session.write(`\0\0\u0005I`, "latin1"));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await TcpProxy.start({ port: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  await proxy.close();
  for (const socket of [...clients, ...sessions]) socket.destroy();
  server.close();
});

async function dial(): Promise<Socket> {
  const client = connect({ port: proxy.port, host: "127.0.0.1" });
  clients.push(client);
  client.setEncoding("latin1");
  await once(client, "connect");
  return client;
}

/** Everything up to the end of one answer. */
async function ask(client: Socket, text: string): Promise<string> {
  client.write(text, "latin1");
  return answer(client);
}

async function answer(client: Socket): Promise<string> {
  let got = "";
  while (!got.endsWith(READY)) got += String((await once(client, "data"))[0]);
  return got.slice(0, -READY.length).trimEnd();
}

function failure(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once("close", () => resolve(undefined));
  });
}

test("carries what both sides say, and that one of them hangs up", async () => {
  const client = await dial();
  expect(await ask(client, "one")).toBe("echo one");
  expect(await ask(client, "two")).toBe("echo two");
  expect(proxy.connections).toBe(1);
  const gone = sessions.map((session) => once(session, "close"));
  client.end();
  await Promise.all(gone);
  expect(proxy.connections).toBe(0);
});

test("cut resets every connection, on both sides", async () => {
  const [first, second] = [await dial(), await dial()];
  await Promise.all([ask(first, "a"), ask(second, "b")]);
  const failures = [first, second, ...sessions].map(failure);
  proxy.cut();
  expect(await Promise.all(failures)).toEqual(Array(4).fill("ECONNRESET"));
  expect(await ask(await dial(), "again")).toBe("echo again");
});

test("a blackhole holds everything back until it flows, also that a client is gone", async () => {
  const [client, other] = [await dial(), await dial()];
  await ask(client, "a");
  await ask(other, "b");
  proxy.blackhole();
  client.write("later");
  other.destroy();
  const late = await dial();
  late.write("new");
  await delay(20); // Nothing tells that nothing comes.
  expect(heard).toEqual(["a", "b"]);
  expect(sessions[1]?.destroyed).toBe(false);
  const gone = sessions[1] === undefined ? [] : [once(sessions[1], "close")];
  proxy.flow();
  expect(await Promise.all([answer(client), answer(late)])).toEqual(["echo later", "echo new"]);
  await Promise.all(gone);
});

test("a delay is that of each way, and keeps the order", async () => {
  const client = await dial();
  proxy.delay(30);
  const since = performance.now();
  const slow = ask(client, "slow");
  // One look of the proxy at its sockets lies between the two.
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  proxy.delay(20);
  client.write("fast");
  await slow;
  // Each of the two timers may be a millisecond early.
  expect(performance.now() - since).toBeGreaterThanOrEqual(48);
  expect(heard.join("")).toBe("slowfast");
});

test("refuses new connections and keeps the old ones, until it accepts again", async () => {
  const client = await dial();
  await ask(client, "a");
  await proxy.refuse();
  await expect(dial()).rejects.toThrow("ECONNREFUSED");
  expect(await ask(client, "b")).toBe("echo b");
  await proxy.accept();
  expect(await ask(await dial(), "c")).toBe("echo c");
});

test("drops the whole reply of the request that matches, and cuts that connection alone", async () => {
  const [client, other] = [await dial(), await dial()];
  const dropped = proxy.dropReplyOf("COMMIT");
  expect(await ask(client, "INSERT")).toBe("echo INSERT");
  const silent: string[] = [];
  client.on("data", (text) => silent.push(String(text)));
  const cut = failure(client);
  client.write("COMMIT");
  expect(await cut).toBe("ECONNRESET");
  await dropped;
  expect(silent).toEqual([]);
  expect(heard).toEqual(["INSERT", "COMMIT"]);
  expect(await ask(other, "COMMIT")).toBe("echo COMMIT");
});

test("lets everything pass again when it is disarmed", async () => {
  const client = await dial();
  let isSprung = false;
  const sprung = (): boolean => (isSprung = true);
  proxy.dropReplyOf("COMMIT").then(sprung, sprung);
  proxy.disarm();
  expect(await ask(client, "COMMIT")).toBe("echo COMMIT");
  expect(isSprung).toBe(false);
});

test("drops a request before the server has heard it", async () => {
  const client = await dial();
  await ask(client, "a");
  const dropped = proxy.dropRequest((request) => request.includes("COMMIT"));
  const cut = failure(client);
  client.write("COMMIT");
  expect(await cut).toBe("ECONNRESET");
  await dropped;
  expect(heard).toEqual(["a"]);
});

test("a client is cut off when the server is not there", async () => {
  server.close();
  const client = await dial();
  expect(await failure(client)).toBe("ECONNRESET");
});

test("a connection that was silenced hears nothing, and is not told that anybody hung up; others go on", async () => {
  const [client, other] = [await dial(), await dial()];
  await ask(client, "a");
  const silenced = proxy.silence("COMMIT");
  client.write("COMMIT");
  await silenced;
  client.write("more");
  const closed = once(client, "close");
  client.destroy();
  await closed;
  expect(await ask(other, "COMMIT")).toBe("echo COMMIT");
  expect(heard).toEqual(["a", "COMMIT"]);
  expect(sessions[0]?.destroyed).toBe(false);
});

function message(letter: string, text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length + length.length);
  return Buffer.concat([Buffer.from(letter), length, Buffer.from(text)]);
}

test("drops notifications, in whatever pieces they come, and nothing else", async () => {
  const said = [message("D", "one"), message("A", "news"), message("A", ""), message("D", "two")];
  server.removeAllListeners("connection").on("connection", (session: Socket) => {
    sessions.push(session);
    for (const byte of Buffer.concat(said)) setImmediate(() => session.write(Buffer.of(byte)));
  });
  proxy.dropNotifications();
  const client = await dial();
  let got = "";
  while (!got.endsWith("two")) got += String((await once(client, "data"))[0]);
  expect(got).toBe("D\0\0\0\u0007oneD\0\0\0\u0007two");
});
