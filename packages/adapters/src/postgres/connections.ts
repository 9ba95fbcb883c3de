import { setTimeout as delay } from "node:timers/promises";
import { StoreUnavailableError } from "@everstep/core";
import { Client, type ClientBase, Pool, type PoolClient } from "pg";
import { DeadlineError, troubleOf } from "./failure.ts";

/** A call that takes longer counts as an outage: its connection is destroyed, and the same call is made over another one (F46, F47). */
const CALL_MAX_MS = 10_000;
/** How long a connection may take to come about, or to become free. */
const CONNECT_MAX_MS = 5_000;
/** Of a store's own pool: one commit and one claim are under way at a time; the rest is for transactions and readers. */
const CONNECTIONS_MAX = 10;
/** Refused serializations and deadlocks are tried again so often before they count as an outage. */
const AGAIN_MAX = 8;
const AGAIN_PAUSE_MAX_MS = 10;

export interface Call {
  readonly text: string;
  readonly values: readonly (string | number | boolean | null)[];
  /** Prepared under this name, where there are sessions. */
  readonly name?: string;
}

/** Borrowed and dedicated connections to one database. None is ever without a listener for its errors (F37). */
export class Connections {
  readonly pool: Pool;
  readonly #isOwn: boolean;
  /** A session stays with its connection, so that it may listen, hold locks, and have statements prepared. */
  hasSessions: boolean;

  constructor(source: string | Pool, { hasSessions }: { readonly hasSessions: boolean }) {
    this.#isOwn = typeof source === "string";
    this.hasSessions = hasSessions;
    this.pool =
      typeof source === "string"
        ? new Pool({
            connectionString: source,
            max: CONNECTIONS_MAX,
            connectionTimeoutMillis: CONNECT_MAX_MS,
            keepAlive: true,
            application_name: "everstep",
            allowExitOnIdle: true,
          })
        : source;
    // An idle connection that breaks is replaced by the pool; without a listener the process would end.
    this.pool.on("error", ignore);
    // For as long as it lives, from before anybody could be told of it: what comes with the last byte of its greeting may be its end.
    this.pool.on("connect", guard);
    this.pool.on("acquire", guard);
  }

  get max(): number {
    return this.pool.options.max;
  }

  /** One call, one round trip, on any connection. */
  call<Row>(call: Call, maxMs: number = CALL_MAX_MS): Promise<readonly Row[]> {
    return this.#insist(() => this.borrow((client) => this.send<Row>(client, call, maxMs), maxMs));
  }

  /** Over this connection. Past the deadline nobody knows what it is doing: whoever gave it must destroy it. */
  async send<Row>(client: ClientBase, { text, values, name }: Call, maxMs: number): Promise<readonly Row[]> {
    const query = this.hasSessions && name !== undefined ? { name, text } : { text };
    const { rows } = await within(maxMs, client.query({ ...query, values: [...values] }));
    return rows as Row[];
  }

  /** Gives a connection for as long as `work` takes. One on which anything went wrong is destroyed, whatever it was (F54). */
  async borrow<T>(work: (client: PoolClient) => Promise<T>, waitMaxMs: number = CONNECT_MAX_MS): Promise<T> {
    const client = await this.#connect(waitMaxMs);
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client.release(troubleOf(error) !== "data");
      throw error;
    }
  }

  /** A connection of its own, beside the pool: heartbeats never wait for a free one (F43). */
  async dedicated(): Promise<Client> {
    const client = new Client(this.pool.options);
    client.on("error", ignore);
    try {
      await within(CONNECT_MAX_MS, client.connect());
      // It keeps no process from ending: workers and waiting clients do that themselves. (The types of pg don't know it.)
      (client as unknown as { unref(): void }).unref();
      return client;
    } catch (error) {
      endQuietly(client);
      throw error;
    }
  }

  /** The pool of the application stays open. */
  async close(): Promise<void> {
    if (!this.#isOwn) this.pool.off("error", ignore).off("connect", guard).off("acquire", guard);
    else if (!this.pool.ending) await this.pool.end();
  }

  async #connect(waitMaxMs: number): Promise<PoolClient> {
    // One that is idle comes at once: no deadline is needed.
    const isIdle = this.pool.idleCount > 0;
    const connecting = this.pool.connect();
    if (isIdle) return connecting;
    try {
      return await within(waitMaxMs, connecting);
    } catch (error) {
      connecting.then((late) => late.release(), ignore);
      if (error instanceof DeadlineError)
        throw new StoreUnavailableError(
          `no connection of the pool became free within ${waitMaxMs} ms: raise its max, or look for one that is never released`,
          { cause: error },
        );
      throw error;
    }
  }

  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (troubleOf(error) !== "again" || tries >= AGAIN_MAX) throw error;
        await delay(Math.random() * AGAIN_PAUSE_MAX_MS * tries);
      }
    }
  }
}

/** Settles as `work` does, or rejects when it took too long. What it comes to after that is of no interest. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    work.catch(ignore);
  }
}

export function endQuietly(client: Client): void {
  client.end().catch(ignore);
}

/** One listener for all stores that share the application's pool. */
function guard(client: PoolClient): void {
  if (!client.listeners("error").includes(ignore)) client.on("error", ignore);
}

export const ignore = (): void => {};
