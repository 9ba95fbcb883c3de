/**
 * ClickHouse in process (chdb), kept out of the first install for its 180 MB: it has a folder with a manifest of its own, and is
 * installed there when somebody wants figures.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const home = new URL("../../../clickhouse/", import.meta.url);
const load = createRequire(home);

/** How to get it, for those who have to be told. */
export const ENGINE_ADVICE = "npx pnpm -C examples/ecommerce/clickhouse install";

/** What of chdb is used here: its own types are not there before it is. */
export interface EngineSession {
  queryAsync(sql: string, options: { readonly format: string }): Promise<EngineAnswer>;
  /** Values never enter the SQL: `{name:Type}` stands for them. */
  queryBindAsync(
    sql: string,
    values: Readonly<Record<string, string>>,
    options: { readonly format: string },
  ): Promise<EngineAnswer>;
  insert(rows: {
    readonly table: string;
    readonly values: Buffer;
    readonly format: "JSONEachRow";
  }): Promise<unknown>;
  close(): void;
}

interface EngineAnswer {
  text(): string;
}

interface Chdb {
  readonly Session: new (
    path: string | undefined,
    options: { readonly connectionArgs: readonly string[] },
  ) => EngineSession;
  /** Resolves when what ran at the time of a `close` has come to its end. */
  drainPending(): Promise<void>;
}

/** True when the version that the manifest asks for is there, whole. */
export function engineIsInstalled(): boolean {
  // Written last by an install.
  if (!existsSync(new URL("node_modules/.modules.yaml", home))) return false;
  try {
    const wanted = load("./package.json") as { readonly dependencies: { readonly chdb: string } };
    const { version } = load("./node_modules/chdb/package.json") as { readonly version: string };
    return version === wanted.dependencies.chdb;
  } catch {
    return false;
  }
}

/** Installs the engine: half a minute, once. Needs pnpm on the PATH, which every root script of the repository sees to. */
export async function installEngine(onProgress: (line: string) => void = () => undefined): Promise<void> {
  const child = spawn("pnpm", ["install", "--reporter=append-only"], {
    cwd: fileURLToPath(home),
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  const lines: string[] = [];
  const hear = (line: string): void => {
    lines.push(line);
    onProgress(line);
  };
  createInterface(child.stdout).on("line", hear);
  createInterface(child.stderr).on("line", hear);
  const code = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (exit, signal) => resolve(exit ?? signal ?? "no exit code"));
  });
  if (code === 0) return;
  throw new Error(
    `ClickHouse could not be installed (${code}); try it yourself: ${ENGINE_ADVICE}\n${lines.join("\n")}`,
  );
}

/** An empty database in a temporary folder, in UTC as at Tinybird. Only one at a time in a process. */
export function openEngine(): EngineSession {
  const { Session } = load("chdb") as Chdb;
  return new Session(undefined, { connectionArgs: ["--session_timezone=UTC"] });
}

/** Another one can be opened once this resolves. */
export async function closeEngine(session: EngineSession): Promise<void> {
  session.close();
  await (load("chdb") as Chdb).drainPending();
}
