import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface ProxyTarget {
  readonly port: number;
  readonly host?: string;
}

/** What the bytes of a request contain, such as "COMMIT", or a look at them. A name of a prepared statement is there each time, its text once. */
export type Matcher = string | ((request: Buffer) => boolean);

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** The end of what the server has answered since its replies are swallowed; undefined: they pass. */
  swallowed: Buffer | undefined;
  /** Nothing passes any more. */
  isSilent: boolean;
  /** Of a connection that hears no notifications. */
  readonly messages: Messages | undefined;
}

interface Trap {
  readonly matches: (request: Buffer) => boolean;
  readonly fate: "lost" | "unanswered" | "silent";
  readonly sprung: () => void;
}

/** How Postgres ends each of its answers: ReadyForQuery, but for the state of the transaction in its last byte. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
const READY_BYTES = READY.length + 1;

/** What a server's notifications begin with, and how long the beginning of a message is: a letter, and a length that counts itself. */
const NOTIFICATION = 0x41;
const HEAD_BYTES = 5;

/** Stands between clients and a Postgres, and fails as networks fail. */
export class TcpProxy {
  readonly #target: ProxyTarget;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #traps = new Set<Trap>();
  #port = 0;
  #delayMs = 0;
  #flowing: Promise<void> = Promise.resolve();
  #reopen: () => void = () => {};
  #isDeaf = false;

  private constructor(target: ProxyTarget) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(target: ProxyTarget): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.accept();
    proxy.#port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Every connection is reset, on both sides. */
  cut(): void {
    for (const link of this.#links) reset(link);
  }

  /** Nothing passes in any direction, also not that somebody hung up. New connections are made, and hear nothing. */
  blackhole(): void {
    this.flow();
    this.#flowing = new Promise((resolve) => {
      this.#reopen = resolve;
    });
  }

  /** What was held back arrives, as TCP would send it again. */
  flow(): void {
    this.#reopen();
  }

  /** From now on everything arrives so much later, each way. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** New connections are refused; those that are there stay. */
  async refuse(): Promise<void> {
    // Not its callback: that waits for those that are there.
    this.#server.close();
    await new Promise(setImmediate);
  }

  async accept(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** The next matching request reaches the server; its answer is swallowed whole, then the connection cut. Settles when that is done. */
  dropReplyOf(matcher: Matcher): Promise<void> {
    return this.#trap(matcher, "unanswered");
  }

  /** The next matching request gets lost, and its connection is cut. Settles when that is done. */
  dropRequest(matcher: Matcher): Promise<void> {
    return this.#trap(matcher, "lost");
  }

  /** The next matching request gets lost, and all that follows on its connection, in both directions; nobody hangs up. */
  silence(matcher: Matcher): Promise<void> {
    return this.#trap(matcher, "silent");
  }

  /** Connections that are made from now on hear no notifications. */
  dropNotifications(): void {
    this.#isDeaf = true;
  }

  /** Requests that no trap has caught yet pass from now on, whatever they match. */
  disarm(): void {
    this.#traps.clear();
  }

  async close(): Promise<void> {
    this.cut();
    this.flow();
    if (this.#server.listening) await this.refuse();
  }

  #trap(matcher: Matcher, fate: Trap["fate"]): Promise<void> {
    const matches =
      typeof matcher === "string" ? (request: Buffer): boolean => request.includes(matcher) : matcher;
    return new Promise((sprung) => {
      this.#traps.add({ matches, fate, sprung });
    });
  }

  #serve(client: Socket): void {
    const server = connect({ host: "127.0.0.1", ...this.#target });
    const messages = this.#isDeaf ? new Messages() : undefined;
    const link: Link = { client, server, swallowed: undefined, isSilent: false, messages };
    this.#links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // Told to the other side when the socket closes.
      socket.on("error", () => {});
    }
    this.#carry(link, { from: client, to: server }, (request) => this.#requested(link, request));
    this.#carry(link, { from: server, to: client }, (reply) => this.#replied(link, reply));
    client.once("close", () => {
      if (!link.isSilent) this.#links.delete(link);
    });
  }

  #carry(link: Link, { from, to }: Record<"from" | "to", Socket>, pass: (bytes: Buffer) => void): void {
    let passed: Promise<void> = Promise.resolve();
    const afterAll = (act: () => void): void => {
      const at = performance.now() + this.#delayMs;
      passed = passed.then(() => this.#arrive(at)).then(() => (link.isSilent ? undefined : act()));
    };
    from.on("data", (bytes: Buffer) => afterAll(() => pass(bytes)));
    from.once("close", (hadError) => afterAll(() => (hadError ? to.resetAndDestroy() : to.end())));
  }

  async #arrive(at: number): Promise<void> {
    const ms = at - performance.now();
    if (ms > 0) await delay(Math.ceil(ms));
    await this.#flowing;
  }

  #requested(link: Link, request: Buffer): void {
    const trap = [...this.#traps].find(({ matches }) => matches(request));
    if (trap === undefined) return void link.server.write(request);
    this.#traps.delete(trap);
    if (trap.fate === "unanswered") {
      link.swallowed = Buffer.alloc(0);
      link.server.write(request);
      link.client.once("close", trap.sprung);
      return;
    }
    if (trap.fate === "silent") link.isSilent = true;
    else reset(link);
    trap.sprung();
  }

  #replied(link: Link, reply: Buffer): void {
    if (link.swallowed === undefined)
      return void link.client.write(link.messages?.withoutNotifications(reply) ?? reply);
    link.swallowed = Buffer.concat([link.swallowed, reply]).subarray(-READY_BYTES);
    if (link.swallowed.subarray(0, READY.length).equals(READY)) reset(link);
  }
}

/** A server's messages, which come in pieces of any size. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);

  /** All that are whole by now, but for notifications. */
  withoutNotifications(bytes: Buffer): Buffer {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const passing: Buffer[] = [];
    for (;;) {
      const end = this.#rest.length < HEAD_BYTES ? Infinity : this.#rest.readUInt32BE(1) + 1;
      if (end > this.#rest.length) return Buffer.concat(passing);
      if (this.#rest[0] !== NOTIFICATION) passing.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
  }
}

function reset({ client, server }: Link): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
