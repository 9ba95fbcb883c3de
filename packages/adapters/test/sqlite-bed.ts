/** What the tests of the SQLite store share: files in a directory of their own, other processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import SqliteDatabase, { type Database } from "better-sqlite3";
import type { Store } from "@everstep/core";
import { onTestFinished } from "vitest";
import { type SqliteOptions, sqlite } from "../src/sqlite/index.ts";
import { eventually, type Hand } from "./hand.ts";

export function tempDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "everstep-sqlite-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function tempFile(): string {
  return join(tempDirectory(), "shop.db");
}

export function openStore(file: string = tempFile(), options?: SqliteOptions): Store<Database> {
  const store = sqlite(file, options);
  onTestFinished(() => store.close());
  return store;
}

/** A connection of the application, to the same file. */
export function connect(file: string, options: { readonly full?: boolean } = {}): Database {
  const db = new SqliteDatabase(file, { timeout: 0 });
  if (options.full !== false) db.pragma("synchronous = FULL");
  onTestFinished(() => void db.close());
  return db;
}

/** What a call threw, and that it did. */
export function thrown(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it threw no error");
}

/** Renews until some worker was taken over. */
export async function untilReaped({ store, lease }: Hand): Promise<{
  readonly tookMs: number;
  /** From the end of the first look to the beginning of the last one in vain: how slow the machine is does not count. */
  readonly inVainMs: number;
}> {
  const since = performance.now();
  let firstEndedAt = Infinity;
  let inVainMs = 0;
  await eventually("a dead worker is taken over", async () => {
    const beganAt = performance.now();
    const isReaped = (await store.renew(lease)).reaped > 0;
    if (!isReaped) inVainMs = Math.max(0, beganAt - firstEndedAt);
    firstEndedAt = Math.min(firstEndedAt, performance.now());
    return isReaped;
  });
  return { tookMs: performance.now() - since, inVainMs };
}

/** Another process with a store on the file, see sqlite-child.ts. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  #errors = "";
  #code: number | string | undefined;

  constructor(role: string, args: readonly string[], { shell }: { readonly shell?: string } = {}) {
    const script = fileURLToPath(new URL("./sqlite-child.ts", import.meta.url));
    const argv = [process.execPath, "--conditions=@everstep/source", script, role, ...args];
    const [command = "", ...rest] =
      shell === undefined ? argv : ["sh", "-c", `${shell}; exec "$@"`, "sh", ...argv];
    this.process = spawn(command, rest, { stdio: ["pipe", "pipe", "pipe"] });
    if (this.process.stdout !== null)
      createInterface(this.process.stdout).on("line", (line) => this.#lines.push(line));
    this.process.stderr?.on("data", (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.process.on("exit", (code, name) => {
      this.#code = code ?? name ?? "gone";
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  /** The rest of the first line that begins with the word. */
  async says(word: string): Promise<string> {
    const find = (): string | undefined => this.#lines.find((line) => line.startsWith(`${word} `));
    await eventually(`a child says ${word}`, () => {
      if (find() === undefined && this.#code !== undefined) {
        throw new Error(`the child ended (${this.#code}) before it said ${word}: ${this.#errors}`);
      }
      return find() !== undefined;
    });
    return (find() ?? "").slice(word.length + 1);
  }

  async ends(): Promise<number | string> {
    await eventually("a child ends", () => this.#code !== undefined);
    return this.#code ?? "gone";
  }
}
