/**
 * Postgres as it fails: stores whose sessions can be told apart and ended, directly or over a proxy, in a schema of the test run's
 * server, or in a database of its own for what is set for a database.
 */
import { randomUUID } from "node:crypto";
import type { Store } from "@everstep/core";
import { Client, escapeLiteral, Pool, type PoolConfig, type QueryResultRow } from "pg";
import { expect, inject, onTestFinished } from "vitest";
import { postgres, type PostgresOptions, type PostgresTx } from "../../src/postgres/index.ts";
import { eventually } from "../hand.ts";
import { Place } from "./place.ts";
import { TcpProxy } from "@everstep/postgres-server/tcp-proxy";

export interface OpenOptions extends PostgresOptions {
  readonly via?: TcpProxy | undefined;
  /** Of each session, as a role or a database may have them: `{ lock_timeout: "50ms" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** On a pool of the application's own. */
  readonly pool?: PoolConfig;
}

export interface StoreOnPool {
  readonly store: Store<PostgresTx>;
  readonly pool: Pool;
}

/** A session of one of the stores, as the server sees it. */
export interface Backend {
  readonly pid: number;
  readonly state: string;
  readonly waits: boolean;
  /** It holds locks of workers, and listens. */
  readonly isSession: boolean;
}

export class Bed {
  readonly place: Place;
  /** The application's name of all sessions of the stores. */
  readonly name: string = `everstep ${randomUUID()}`;

  /** Of another database than its own, where it has one. */
  readonly #server: string;

  constructor(server: string = inject("databaseUrl"), url = server) {
    this.#server = server;
    this.place = new Place(url);
    failOnStrays();
  }

  static async ofOwnDatabase(server: string = inject("databaseUrl")): Promise<Bed> {
    const database = `t_${randomUUID()}`;
    await statement(server, `CREATE DATABASE "${database}"`);
    onTestFinished(() => statement(server, `DROP DATABASE "${database}" WITH (FORCE)`));
    const own = new URL(server);
    own.pathname = database;
    return new Bed(server, own.href);
  }

  /** Closed with the test. */
  open({ via, settings = {}, pool, ...options }: OpenOptions = {}): Store<PostgresTx> {
    const url = this.#urlOf(via, settings);
    const { schema } = this.place;
    if (pool === undefined) {
      const store = postgres(url, { schema, ...options });
      onTestFinished(() => store.close());
      return store;
    }
    return this.openOnPool(pool, { via, settings, ...options }).store;
  }

  openOnPool(
    config: PoolConfig,
    { via, settings = {}, ...options }: Omit<OpenOptions, "pool"> = {},
  ): StoreOnPool {
    const pool = new Pool({ connectionString: this.#urlOf(via, settings), ...config });
    onTestFinished(() => pool.end());
    const store = postgres(pool, { schema: this.place.schema, ...options });
    onTestFinished(() => store.close());
    return { store, pool };
  }

  /** The tables, made by a store without any fault. */
  async migrate(): Promise<void> {
    const store = postgres(this.place.url, { schema: this.place.schema });
    await store.count({});
    await store.close();
  }

  async proxy(): Promise<TcpProxy> {
    const { hostname, port } = new URL(this.place.url);
    const proxy = await TcpProxy.start({ host: hostname, port: Number(port === "" ? 5432 : port) });
    onTestFinished(() => proxy.close());
    return proxy;
  }

  /** Of its database: new sessions have it. */
  async setForNewSessions(name: string, value: string): Promise<void> {
    const database = new URL(this.place.url).pathname.slice(1);
    await statement(this.#server, `ALTER DATABASE "${database}" SET ${name} = ${escapeLiteral(value)}`);
  }

  backends(): Promise<Backend[]> {
    return this.place.rows<Backend & QueryResultRow>(
      `SELECT pid, coalesce(state, '') AS state, coalesce(wait_event_type = 'Lock', false) AS waits,
         EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory') AS "isSession"
       FROM pg_stat_activity a WHERE application_name = $1`,
      this.name,
    );
  }

  /** Ends sessions of the stores: all, or those that are chosen. Answers which. */
  async terminate(which: (backend: Backend) => boolean = () => true): Promise<readonly number[]> {
    const pids = (await this.backends()).filter(which).map(({ pid }) => pid);
    await this.place.rows("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid", pids);
    return pids;
  }

  /** What its own database counted until now; sessions tell it at their end, so these stores are closed. */
  async statistics(stores: readonly Store[]): Promise<Record<"commits" | "rollbacks" | "deadlocks", number>> {
    await Promise.all(stores.map((store) => store.close()));
    await eventually("their sessions are gone", async () => (await this.backends()).length === 0);
    const [row] = await this.place.rows<Record<"commits" | "rollbacks" | "deadlocks", string>>(
      `SELECT xact_commit AS commits, xact_rollback AS rollbacks, deadlocks FROM pg_stat_database WHERE datname = current_database()`,
    );
    return {
      commits: Number(row?.commits),
      rollbacks: Number(row?.rollbacks),
      deadlocks: Number(row?.deadlocks),
    };
  }

  /** L4: no session is in a transaction any more, whatever went wrong in one. */
  async untilQuiet(): Promise<void> {
    await eventually("no session of the stores is in a transaction", async () =>
      (await this.backends()).every(({ state }) => state === "idle"),
    );
    expect(await this.place.rows("SELECT id FROM @guard")).toEqual([]);
  }

  #urlOf(via: TcpProxy | undefined, settings: NonNullable<OpenOptions["settings"]>): string {
    const url = new URL(this.place.url);
    if (via !== undefined) {
      url.hostname = "127.0.0.1";
      url.port = String(via.port);
    }
    url.searchParams.set("application_name", this.name);
    const options = Object.entries(settings).map(
      ([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, String.raw`\$&`)}`,
    );
    if (options.length > 0) url.searchParams.set("options", options.join(" "));
    return url.href;
  }
}

/** A rejection that nobody handles, or an `error` that nobody listens to, would end a program. */
function failOnStrays(): void {
  const strays: unknown[] = [];
  const stray = (error: unknown): unknown => strays.push(error);
  const events = ["unhandledRejection", "uncaughtExceptionMonitor"] as const;
  for (const event of events) process.on(event, stray);
  onTestFinished(() => {
    for (const event of events) process.off(event, stray);
    expect(strays).toEqual([]);
  });
}

async function statement(url: string, sql: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(sql);
  await client.end();
}
