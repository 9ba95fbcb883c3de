/** What the tests of the SQLite store share: files in a directory of their own, writes in short, other processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import SqliteDatabase, { type Database } from "better-sqlite3";
import type {
  AdvanceWrite,
  Claim,
  JoinRequest,
  Lease,
  NewEntry,
  Outcome,
  StartWrite,
  Store,
  Write,
} from "@everstep/core";
import { onTestFinished } from "vitest";
import { type SqliteOptions, sqlite } from "../src/sqlite/index.ts";

const ORDER = { name: "order", version: "1" } as const;

/** Long enough for a slow machine; nothing waits so long unless it fails. */
const DEADLINE_MS = 20_000;

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

export function start(
  id: string,
  run: Partial<StartWrite["run"]> & { readonly claim?: boolean } = {},
): StartWrite {
  const { claim = false, ...given } = run;
  const plain = {
    workflow: "order",
    version: "1",
    input: "1",
    inputHash: "1",
    priority: 0,
    tags: {},
    timeoutMs: null,
  };
  return { kind: "start", claim, run: { id, ...plain, ...given } };
}

export function entry(seq: number, more: Partial<NewEntry> = {}): NewEntry {
  return { seq, kind: "step", key: `step-${seq}`, at: seq, value: '"done"', ...more };
}

export function advance(runId: string, more: Partial<AdvanceWrite> = {}): AdvanceWrite {
  return { kind: "advance", runId, attempt: 1, entries: [], ...more };
}

export function signal(runId: string, id: string): Write {
  return { kind: "message", runId, message: { type: "signal", id, name: "go", payload: "1" } };
}

/** A worker of a test: it numbers its batches. */
export class Hand {
  readonly store: Store<Database>;
  readonly lease: Lease;
  #batch = 0;

  private constructor(store: Store<Database>, lease: Lease) {
    this.store = store;
    this.lease = lease;
  }

  static async join(store: Store<Database>, request: Partial<JoinRequest> = {}): Promise<Hand> {
    const full = { workflows: [ORDER], leaseMs: 60_000, host: "test", pid: process.pid, ...request };
    return new Hand(store, await store.join(full));
  }

  get id(): number {
    return this.lease.worker;
  }

  commit(...writes: readonly Write[]): Promise<readonly Outcome[]> {
    this.#batch += 1;
    return this.store.commit({ writes, lease: { worker: this.id, batch: this.#batch } });
  }

  async claim(limit = 100): Promise<readonly Claim[]> {
    const request = { worker: this.id, limit, workflows: [ORDER], except: [], inboxes: [] };
    return (await this.store.claim(request)).claims;
  }
}

/** Polls a condition. Says which one did not come true. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > until) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/** What a promise was rejected with, and that it was. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was not rejected with an error");
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
