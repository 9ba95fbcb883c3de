import { chownSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type PostgresServer, startPostgres } from "@everstep/postgres-server";
import { Client } from "pg";
import { TcpProxy } from "@everstep/postgres-server/tcp-proxy";
import type { Act, Arena, Disaster } from "./arena.ts";
import type { Session } from "./evidence.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

/** Short, so that frozen workers are taken over within the test. */
const LEASE_MS = 2_000;
const BLACKHOLE_MAX_MS = 2 * LEASE_MS;
/** A request that can be caught comes within so long, or there is none. */
const TRAP_MS = 2_000;
/** The server needs a moment to end the sessions of whoever has hung up. */
const HANG_UP_MS = 2_000;
const HANG_UP_POLL_MS = 50;
/** Ten thousand runs are about 100 MB. */
const DISK_MEGABYTES = 256;

/** What requests have in them whose replies get lost: calls of everstep's functions, by the name of a prepared statement or in SQL. */
const LOST_REPLIES = [/ commit\0|\.commit\(/, /COMMIT/, / claim\0|\.claim\(/, / renew\0|\.renew\(/] as const;

/**
 * Four workers, in a schema of a server that is restarted unless it is somebody else's. Two reach it through a proxy, and one of
 * these does without sessions. The tables lie on a disk of their own that is full now and then; what the server writes ahead does not,
 * for a server that can't write that is down, which is shown by its restarts.
 */
export async function postgresArena(seed: number, { diskMegabytes = DISK_MEGABYTES } = {}): Promise<Arena> {
  const server = await startPostgres();
  if (server.own === null) console.log("the server at DATABASE_URL is somebody else's: it is not restarted");
  const { hostname, port } = new URL(server.url);
  const proxy = await TcpProxy.start({ host: hostname, port: Number(port === "" ? 5432 : port) });
  const name = `chaos_${seed}`;
  const site = new Site(server, name);
  await site.clear();
  const disk = server.own === null ? undefined : smallDisk(diskMegabytes);
  if (disk !== undefined) await site.moveTo(disk);
  const direct = { url: site.url("worker"), schema: name };
  const proxied = { url: site.url("worker", proxy.port), schema: name };
  return {
    place: { url: site.url("test"), schema: name },
    workerPlaces: [direct, proxied, direct, { ...proxied, transactionPooler: true }],
    leaseMs: LEASE_MS,
    acts: [...Array<Act>(12).fill("kill"), "freeze", "freeze", "swizzle", "drain", "drain"],
    disasters: [
      ...site.disasters(),
      ...networkDisasters(proxy),
      ...(disk === undefined ? [] : [disk.disaster]),
    ],
    callers: 6,
    openMax: 60,
    readSessions: (when) => site.readSessions(when),
    close: async () => {
      await proxy.close();
      if (server.own === null) await site.clear();
      await server.stop();
      disk?.close();
    },
  };
}

class Site {
  readonly #server: PostgresServer;
  readonly #name: string;

  constructor(server: PostgresServer, name: string) {
    this.#server = server;
    this.#name = name;
  }

  /** Of those who tell the server that they are this one's workers, or the test itself. */
  url(who: "worker" | "test" | "control", proxyPort?: number): string {
    const url = new URL(this.#server.url);
    url.searchParams.set("application_name", `${this.#name} ${who}`);
    if (proxyPort !== undefined) [url.hostname, url.port] = ["127.0.0.1", String(proxyPort)];
    return url.href;
  }

  disasters(): readonly Disaster[] {
    const { own } = this.#server;
    const restart = async (): Promise<boolean> => {
      await own?.restart("immediate");
      return true;
    };
    return [
      ...(own === null ? [] : [{ name: "restarts of the server", strike: restart }]),
      { name: "sessions terminated", strike: () => this.#terminate() },
    ];
  }

  async readSessions(when: Session["when"]): Promise<readonly Session[]> {
    for (let waitedMs = 0; ; waitedMs += HANG_UP_POLL_MS) {
      const sessions = await this.#query<Omit<Session, "when">>(
        `SELECT state, extract(epoch FROM clock_timestamp() - state_change)::float8 * 1000 AS "sinceMs"
         FROM pg_stat_activity WHERE application_name = $1`,
        [`${this.#name} worker`],
      );
      if (when === "idle" || sessions.length === 0 || waitedMs >= HANG_UP_MS)
        return sessions.map((session) => ({ ...session, when }));
      await delay(HANG_UP_POLL_MS);
    }
  }

  /** All tables that are created from now on. */
  async moveTo({ folder }: SmallDisk): Promise<void> {
    const [data] = await this.#query<{ data_directory: string }>("SHOW data_directory", []);
    const { uid, gid } = statSync(data?.data_directory ?? folder);
    chownSync(folder, uid, gid);
    await this.#query(`CREATE TABLESPACE small LOCATION '${folder}'`, []);
    await this.#query("ALTER DATABASE postgres SET default_tablespace = small", []);
  }

  async clear(): Promise<void> {
    await this.#query(`DROP SCHEMA IF EXISTS ${this.#name}, ${this.#name}_shop CASCADE`, []);
  }

  /** All sessions of the workers and of the test. */
  async #terminate(): Promise<boolean> {
    const ended = await this.#query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ($1, $2)",
      [`${this.#name} worker`, `${this.#name} test`],
    );
    return ended.length > 0;
  }

  async #query<Row>(text: string, values: readonly string[]): Promise<readonly Row[]> {
    const client = new Client(this.url("control"));
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as Row[];
    } finally {
      await client.end();
    }
  }
}

function networkDisasters(proxy: TcpProxy): readonly Disaster[] {
  let tries = 0;
  const loseReply = async (): Promise<boolean> => {
    const wanted = LOST_REPLIES[tries++ % LOST_REPLIES.length];
    const matches = (request: Buffer): boolean => wanted?.test(request.toString("latin1")) === true;
    const caught = proxy.dropReplyOf(matches).then(() => true);
    const isCaught = await Promise.race([caught, delay(TRAP_MS, false)]);
    proxy.disarm();
    return isCaught;
  };
  return [
    { name: "lost replies", strike: loseReply },
    {
      name: "connections cut",
      strike: async () => {
        const had = proxy.connections;
        proxy.cut();
        return had > 0;
      },
    },
    {
      name: "blackholes",
      strike: async (random) => {
        proxy.blackhole();
        await delay(random.between(BLACKHOLE_MAX_MS / 8, BLACKHOLE_MAX_MS));
        proxy.flow();
        return true;
      },
    },
  ];
}
