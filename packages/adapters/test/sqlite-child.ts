/**
 * A process of its own for the tests: `node sqlite-child.ts <role> <file> …`. It says what it did on standard output, a word
 * and its value on each line, and lives until it is killed or its role is over.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Lease, type Store, StoreUnavailableError, type Write } from "@everstep/core";
import SqliteDatabase from "better-sqlite3";
import { sqlite } from "../src/sqlite/index.ts";
import { SqliteStore } from "../src/sqlite/sqlite-store.ts";

const ORDER = { name: "order", version: "1", on: null, priority: 0, timeoutMs: null };

const roles: Readonly<Record<string, (file: string, more: readonly string[]) => Promise<void>>> = {
  /** Opens the file, and says whether that worked. */
  async open(file) {
    const store = sqlite(file);
    say("runs", await store.count({}));
    await store.close();
  },

  /** The same without the rights of root. */
  async openAsNobody(file) {
    if (process.getuid?.() === 0) process.setuid?.(65_534);
    try {
      sqlite(file);
      say("opened", file);
    } catch (error) {
      say("refused", String(error));
    }
  },

  /** Joins with the lease given, owns run `a`, and renews until its lease is gone. */
  async work(file, [leaseMs]) {
    const store = sqlite(file);
    const lease = await join(store, Number(leaseMs));
    await store.commit({ writes: [start("a")], lease: { worker: lease.worker, batch: 1 } });
    say("worker", lease.worker);
    let renewal = await store.renew(lease);
    while (renewal.live) {
      await pause(100);
      renewal = await store.renew({ ...lease, expiresAt: renewal.expiresAt });
    }
    const advance: Write = { kind: "advance", runId: "a", attempt: 1, entries: [], then: { do: "release" } };
    const late = await store.commit({ writes: [advance], lease: { worker: lease.worker, batch: 2 } });
    say("fenced", late.map(({ is }) => is).join(" "));
    await store.close();
  },

  /** Claims runs and ends them, one at a time, until none is left; it may be killed at any moment. */
  async drain(file) {
    const store = sqlite(file);
    const lease = await join(store, 60_000);
    let batch = 0;
    say("joined", lease.worker);
    for (;;) {
      await store.renew(lease);
      const request = { worker: lease.worker, limit: 5, workflows: [ORDER], except: [], inboxes: [] };
      const { claims } = await store.claim(request);
      for (const { run, journal } of claims) {
        const entry = {
          seq: journal.length + 1,
          kind: "step",
          key: "x",
          at: 1,
          value: String(lease.worker),
        } as const;
        const then = { do: "end", status: "completed" } as const;
        const advance: Write = {
          kind: "advance",
          runId: run.id,
          attempt: run.attempt,
          entries: [entry],
          then,
        };
        batch += 1;
        await store.commit({ writes: [advance], lease: { worker: lease.worker, batch } });
      }
      if (claims.length === 0 && (await store.count({ status: ["ready", "running"] })) === 0) break;
      if (claims.length === 0) await pause(20);
    }
    await store.close();
    say("drained", batch);
  },

  /** Purges a run, and is killed when the row of one of its family goes. */
  async purgeAndDie(file, [runId = "", last = ""]) {
    const db = new SqliteDatabase(file);
    db.function("die", () => process.kill(process.pid, "SIGKILL"));
    db.exec(
      `CREATE TEMP TRIGGER dying AFTER DELETE ON main.everstep_runs WHEN old.id = '${last}' BEGIN SELECT die(); END`,
    );
    const store = new SqliteStore({ db, file, lockWaitMs: 1_000, now: Date.now });
    const outcomes = await store.commit({ writes: [{ kind: "purge", runId }] });
    say("purged", JSON.stringify(outcomes));
  },

  /** Starts runs with large inputs until the store is out; says how many were accepted, and why no more. */
  async fill(file) {
    const store = sqlite(file);
    const input = JSON.stringify("x".repeat(100_000));
    for (let number = 0; number < 1_000; number++) {
      try {
        await store.commit({ writes: [start(`run-${number}`, input, false)] });
      } catch (error) {
        say("accepted", number);
        say("out", `${error instanceof StoreUnavailableError} ${String(error)}`);
        return;
      }
    }
    say("accepted", 1_000);
  },
};

function start(id: string, input = "1", claim = true): Write {
  const run = {
    id,
    workflow: "order",
    version: "1",
    input,
    inputHash: "1",
    priority: 0,
    tags: {},
    timeoutMs: null,
  };
  return { kind: "start", claim, run };
}

function join(store: Store, leaseMs: number): Promise<Lease> {
  return store.join({ workflows: [ORDER], leaseMs, host: "child", pid: process.pid });
}

function say(word: string, value: unknown): void {
  process.stdout.write(`${word} ${String(value)}\n`);
}

const [role = "", file = "", ...more] = process.argv.slice(2);
await roles[role]?.(file, more);
