/**
 * Stops calls of everstep's functions at the two points that matter: before they reach the server, and after all their work but
 * before their commit. So a test may do anything in between, without knowing what such a call looks like.
 */
import { Pool, type PoolClient } from "pg";
import { onTestFinished } from "vitest";

type Send = (...args: readonly unknown[]) => Promise<unknown>;

interface Stop {
  readonly fn: string;
  readonly where: "before" | "uncommitted";
  readonly reached: (pid: number) => void;
  readonly go: Promise<"on" | "back">;
}

/** A call that was stopped. */
export interface Stopped {
  /** Settles when it has come to its stop; answers its server's process. */
  readonly reached: Promise<number>;
  goOn(): void;
  /** Rolls back what it did, as if its connection had broken, and fails. */
  goBack(): void;
}

/** Commits of one plain write have functions of their own. */
const COMMITS = ["commit", "begin_run", "append", "finish"];

function isCallOf(fn: string, text: string): boolean {
  const names = fn === "commit" ? COMMITS : [fn];
  return names.some((name) => text.includes(`.${name}(`));
}

export class HeldPool {
  readonly pool: Pool;
  readonly #stops: Stop[] = [];

  constructor(url: string) {
    this.pool = new Pool({ connectionString: url, max: 10 });
    this.pool.on("connect", (client) => this.#watch(client));
    onTestFinished(() => this.pool.end());
  }

  /** The next call of the function is stopped before it is sent. */
  before(fn: string): Stopped {
    return this.#stop(fn, "before");
  }

  /** The next call of the function is executed, and stopped before it is committed. */
  uncommitted(fn: string): Stopped {
    return this.#stop(fn, "uncommitted");
  }

  #stop(fn: string, where: Stop["where"]): Stopped {
    const { promise: reached, resolve } = Promise.withResolvers<number>();
    const { promise: go, resolve: decide } = Promise.withResolvers<"on" | "back">();
    this.#stops.push({ fn, where, reached: resolve, go });
    // Whatever fails in between: the pool must not wait for it at the end.
    onTestFinished(() => decide("back"));
    return { reached, goOn: () => decide("on"), goBack: () => decide("back") };
  }

  #watch(client: PoolClient): void {
    const send = client.query.bind(client) as unknown as Send;
    const pid = "processID" in client ? Number(client.processID) : 0;
    const query: Send = (...args) => {
      const index = this.#stops.findIndex(({ fn }) => isCallOf(fn, textOf(args[0])));
      const [stop] = index < 0 ? [] : this.#stops.splice(index, 1);
      return stop === undefined ? send(...args) : this.#pass(stop, pid, send, args);
    };
    Object.assign(client, { query });
  }

  async #pass(stop: Stop, pid: number, send: Send, args: readonly unknown[]): Promise<unknown> {
    if (stop.where === "before") {
      stop.reached(pid);
      if ((await stop.go) === "back") throw new Error("Connection terminated by the test");
      return send(...args);
    }
    await send("BEGIN");
    const answer = await send(...args).catch(async (error: unknown) => {
      this.#stops.unshift(stop);
      await send("ROLLBACK");
      throw error;
    });
    if (isLeftToAnother(answer)) {
      this.#stops.unshift(stop);
      await send("ROLLBACK");
      return answer;
    }
    stop.reached(pid);
    if ((await stop.go) === "back") {
      await send("ROLLBACK");
      throw new Error("Connection terminated by the test");
    }
    await send("COMMIT");
    return answer;
  }
}

/** It did nothing: another function is to do it. */
function isLeftToAnother(answer: unknown): boolean {
  const { rows = [] } = answer as { readonly rows?: readonly { readonly answer?: unknown }[] };
  return rows[0]?.answer === null;
}

function textOf(query: unknown): string {
  if (typeof query === "string") return query;
  return typeof query === "object" && query !== null && "text" in query ? String(query.text) : "";
}
