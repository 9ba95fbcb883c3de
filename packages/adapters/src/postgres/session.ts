import { setTimeout as delay } from "node:timers/promises";
import { StoreUnavailableError } from "@everstep/core";
import type { Client } from "pg";
import { type Connections, endQuietly, ignore, within } from "./connections.ts";
import { troubleOf } from "./failure.ts";

/** While it is out, a new connection is tried after pauses up to this, drawn by lot: a restarted server meets them one by one. */
const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 800;
/** No question takes longer, whoever asks it, or it is lost: the others behind it must not wait for TCP to notice (F47). */
const USE_MAX_MS = 5_000;

export interface SessionHooks {
  /** What a new session has to do before it counts as open. */
  readonly onOpen: (client: Client) => Promise<void>;
  readonly onLost: () => void;
  readonly onNotice: (channel: string, payload: string) => void;
}

/**
 * The one connection with a memory: it holds the locks of this process's workers and listens for hints, and heartbeats go over it.
 * Beside the pool, so that it is never waited for (F43). When it breaks it is replaced, for as long as it is wanted.
 */
export class Session {
  readonly #connections: Connections;
  readonly #hooks: SessionHooks;
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  #wanted = false;
  /** What is being asked over it, one question after the other. */
  #tail: Promise<void> = Promise.resolve();
  /** By the monotonic clock: when it was last lost, or was there again after that. */
  changedAt: number = -Infinity;

  constructor(connections: Connections, hooks: SessionHooks) {
    this.#connections = connections;
    this.#hooks = hooks;
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /** Works with the connection, when it is its turn. A connection that failed in it is replaced. */
  use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const turn = this.#tail.then(() => this.#use(work));
    this.#tail = turn.then(ignore, ignore);
    return turn;
  }

  /** Resolves when it is open. Rejects when the first try fails, and goes on trying. */
  open(): Promise<void> {
    this.#wanted = true;
    if (this.#client !== undefined) return Promise.resolve();
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#wanted = false;
    const client = this.#client;
    this.#client = undefined;
    client?.removeAllListeners("end");
    if (client !== undefined) await within(USE_MAX_MS, client.end()).catch(ignore);
  }

  async #use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined)
      throw new StoreUnavailableError(
        "the connection for heartbeats is lost; everstep is opening another one",
      );
    try {
      return await within(USE_MAX_MS, work(client));
    } catch (error) {
      if (troubleOf(error) !== "unusable") this.#drop(client);
      throw error;
    }
  }

  #drop(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.changedAt = performance.now();
    endQuietly(client);
    this.#hooks.onLost();
    if (this.#wanted) void this.#reconnect().catch(ignore);
  }

  async #connect(): Promise<void> {
    const client = await this.#connections.dedicated();
    try {
      client.on("notification", ({ channel, payload }) => this.#hooks.onNotice(channel, payload ?? ""));
      await within(USE_MAX_MS, this.#hooks.onOpen(client));
      client.on("end", () => this.#drop(client));
      client.on("error", () => this.#drop(client));
    } catch (error) {
      endQuietly(client);
      throw error;
    }
    if (!this.#wanted) return endQuietly(client);
    this.#client = client;
    if (this.changedAt > -Infinity) this.changedAt = performance.now();
  }

  async #reconnect(): Promise<void> {
    for (let pauseMaxMs = PAUSE_FIRST_MS; this.#wanted; pauseMaxMs = Math.min(pauseMaxMs * 2, PAUSE_MAX_MS)) {
      try {
        return await this.open();
      } catch {
        await delay(Math.random() * pauseMaxMs, undefined, { ref: false });
      }
    }
  }
}
