/** An operator at a command line of a test: each command runs in this process, on a store of its own. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import { type AnyWorkflow, Client, type RunStatus, type Store, Worker } from "@everstep/core";
import { Client as Connection } from "pg";
import { inject, onTestFinished } from "vitest";
import type { Io } from "../../src/io.ts";
import { run } from "../../src/program.ts";

export const KINDS = ["sqlite", "postgres"] as const;
export type Kind = (typeof KINDS)[number];

export interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class Operator {
  /** An empty directory, in which the commands are run. */
  readonly cwd: string = realpathSync(mkdtempSync(join(tmpdir(), "everstep-cli-")));
  readonly url: string;
  readonly store: Store;
  readonly client: Client;

  /** `server`: the database of Postgres, where it is not that of the test run. */
  constructor(kind: Kind, server: string = inject("databaseUrl")) {
    const { url, store } = kind === "sqlite" ? inFile(this.cwd) : inSchema(server);
    this.url = url;
    this.store = store;
    this.client = new Client({ store });
    onTestFinished(async () => {
      await store.close();
      rmSync(this.cwd, { recursive: true });
    });
  }

  /** `input`: what comes through a pipe. */
  async type(words: readonly string[], { input = "" }: { readonly input?: string } = {}): Promise<Answer> {
    const answer = { out: "", err: "" };
    const io: Io = {
      stdout: { write: (text) => (answer.out += text) },
      stderr: { write: (text) => (answer.err += text) },
      stdin: Readable.from(input === "" ? [] : [input]),
      env: { EVERSTEP_STORE: this.url },
      cwd: this.cwd,
      now: Date.now,
      interrupted: new AbortController().signal,
    };
    const code = await run(words, io);
    return { code, ...answer };
  }

  /** The answer's JSON; throws when there is none. */
  async json(words: readonly string[], options: { readonly input?: string } = {}): Promise<unknown> {
    const { out, err, code } = await this.type([...words, "--json"], options);
    if (out === "") throw new Error(`everstep ${words.join(" ")} (${code}): ${err}`);
    return JSON.parse(out);
  }

  async worker(...workflows: readonly AnyWorkflow[]): Promise<Worker> {
    const ignore = (): void => {};
    const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    const worker = new Worker({ store: this.store, workflows, logger });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    return worker;
  }

  /** Once the run has this status. */
  async until(id: string, status: RunStatus): Promise<void> {
    await eventually(`run ${id} is ${status}`, async () => (await this.client.get(id).status()) === status);
  }
}

const WAIT_MAX_MS = 60_000;

export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MAX_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Place {
  readonly url: string;
  readonly store: Store;
}

function inFile(directory: string): Place {
  const file = join(directory, "shop.db");
  return { url: `sqlite:${file}`, store: sqlite(file) };
}

function inSchema(server: string): Place {
  const schema = `cli_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(server);
  url.searchParams.set("schema", schema);
  onTestFinished(async () => {
    const client = new Connection(server);
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await client.end();
  });
  return { url: url.href, store: postgres(server, { schema }) };
}
