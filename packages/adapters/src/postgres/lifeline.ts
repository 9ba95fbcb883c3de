import type { Client, ClientBase } from "pg";
import { type Connections, endQuietly, ignore, within } from "./connections.ts";

/** How often the server is asked for the session. Its second look comes soon after the server has ended what was silent for ten seconds. */
const LOOK_EVERY_MS = 6_000;
const LOOK_MAX_MS = 5_000;

/**
 * While the caller's function has a connection, its statements take as long as they take, without a deadline. But one on which nothing
 * passes any more would be waited for until TCP gives up, which takes a quarter of an hour (F47). The server meanwhile ends the
 * transaction, in which nothing happens: once it has no such session any more, no answer will come, and the connection is closed.
 */
export class Lifeline {
  readonly #connections: Connections;
  readonly #client: ClientBase;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  readonly #lost = (): void => {
    this.isLost = true;
  };
  #isOver = false;
  /** The connection is gone: nothing that is said over it is kept any more. */
  isLost = false;

  /** `pid`: the server's process, which a pooler may hide. */
  constructor(connections: Connections, client: ClientBase, pid: number) {
    this.#connections = connections;
    this.#client = client;
    this.#pid = pid;
    client.on("error", this.#lost);
    client.on("end", this.#lost);
    this.#timer = setInterval(() => void this.#look().catch(ignore), LOOK_EVERY_MS).unref();
  }

  over(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#client.off("error", this.#lost);
    this.#client.off("end", this.#lost);
  }

  /** Beside the pool, which may be full of such connections. During an outage nothing is known. */
  async #look(): Promise<void> {
    const onlooker = await this.#connections.dedicated();
    try {
      const looked = onlooker.query("SELECT FROM pg_stat_activity WHERE pid = $1", [this.#pid]);
      const { rowCount } = await within(LOOK_MAX_MS, looked);
      if (rowCount === 0 && !this.#isOver) endQuietly(this.#client as Client);
    } finally {
      endQuietly(onlooker);
    }
  }
}
