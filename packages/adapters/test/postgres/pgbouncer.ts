/** A real PgBouncer before the server of the tests, where the machine has one: `apt-get install pgbouncer`. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, chownSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import { eventually } from "../hand.ts";

export interface PgBouncerOptions {
  readonly mode: "transaction" | "session";
  /** Connections to the server. */
  readonly poolSize: number;
}

export interface PgBouncer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Undefined where there is none. */
export const pgBouncerPath: string | undefined = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  "/usr/sbin",
]
  .map((folder) => join(folder, "pgbouncer"))
  .find(isExecutable);

export async function startPgBouncer(serverUrl: string, options: PgBouncerOptions): Promise<PgBouncer> {
  const folder = mkdtempSync(join(tmpdir(), "everstep-pgbouncer-"));
  const port = await freePort();
  const config = join(folder, "pgbouncer.ini");
  writeFileSync(config, configOf(new URL(serverUrl), { folder, port, ...options }));
  const user = unprivilegedUser();
  if (user !== undefined) for (const path of [folder, config]) chownSync(path, user.uid, user.gid);
  const bouncer = spawn(pgBouncerPath ?? "pgbouncer", [config], { ...user, stdio: "ignore" });
  const killWithUs = (): void => void bouncer.kill("SIGQUIT");
  process.once("exit", killWithUs);
  const stop = async (): Promise<void> => {
    process.off("exit", killWithUs);
    if (bouncer.exitCode === null) {
      bouncer.kill("SIGQUIT");
      await once(bouncer, "exit");
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const url = new URL(serverUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  try {
    await untilReady(bouncer, url.href);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: url.href, stop };
}

function configOf(
  server: URL,
  { folder, port, mode, poolSize }: PgBouncerOptions & { readonly folder: string; readonly port: number },
): string {
  const quoted = (text: string): string => `'${decodeURIComponent(text).replaceAll("'", "''")}'`;
  const password = server.password === "" ? "" : ` password=${quoted(server.password)}`;
  return `[databases]
* = host=${server.hostname} port=${server.port === "" ? 5432 : server.port} user=${quoted(server.username)}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${poolSize}
max_client_conn = 200
logfile = ${join(folder, "log")}
pidfile = ${join(folder, "pid")}
`;
}

async function untilReady(bouncer: ChildProcess, url: string): Promise<void> {
  await eventually("PgBouncer answers", async () => {
    if (bouncer.exitCode !== null) throw new Error(`PgBouncer ended with ${bouncer.exitCode}`);
    const client = new Client(url);
    client.on("error", () => {});
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  });
}

/** It refuses to run as root. */
function unprivilegedUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number =>
    Number.parseInt(spawnSync("id", [flag, "nobody"], { encoding: "utf8" }).stdout, 10);
  return { uid: id("-u"), gid: id("-g") };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
