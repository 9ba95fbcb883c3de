import { type Batch, type Outcome, type RunStatus, StoreError, type Write } from "@everstep/core";
import { ignore } from "./connections.ts";
import type { Database } from "./database.ts";
import { troubleOf } from "./failure.ts";
import { type Wave, wavesOf } from "./waves.ts";

export interface Applied {
  readonly at: number;
  readonly outcomes: readonly Outcome[];
}

/** Applies batches: one statement each (S1), at most once each (S2), under a lease that still holds (S3). */
export class Batches {
  readonly #database: Database;
  readonly #channel: string | null;
  readonly #turns = new Map<number, Promise<void>>();

  /** `channel`: where it is said that a worker has something to lose; null where nobody can listen. */
  constructor(database: Database, channel: string | null) {
    this.#database = database;
    this.#channel = channel;
  }

  /** Batches of one worker wait for each other, as their numbers do: otherwise a later one could overtake on its connection. */
  async apply(batch: Batch): Promise<Applied> {
    assertLease(batch);
    const worker = batch.lease?.worker;
    if (worker === undefined) return this.#apply(batch);
    const before = this.#turns.get(worker);
    const turn = before === undefined ? this.#apply(batch) : before.then(() => this.#apply(batch));
    const over = turn.then(ignore, ignore);
    this.#turns.set(worker, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(worker) === over) this.#turns.delete(worker);
    }
  }

  async #apply(batch: Batch): Promise<Applied> {
    try {
      return await this.#send(batch, false);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A bad row sinks itself only (F57): again, each write for itself, which would cost too much as a habit.
      return this.#send(batch, true);
    }
  }

  async #send({ writes, lease }: Batch, alone: boolean): Promise<Applied> {
    const { waves, leave, locks } = wavesOf(writes, alone);
    const [first, ...more] = alone || leave !== null ? [undefined, ...waves] : waves;
    const [answer = "{}"] = await this.#database.ask("commit", [
      lease?.worker ?? null,
      lease?.batch ?? null,
      writes.length,
      ...textsOf(first),
      more.length === 0 ? null : JSON.stringify(more),
      locks.length === 0 ? null : JSON.stringify(locks),
      leave?.wave ?? null,
      leave?.i ?? null,
      alone,
      this.#channel,
    ]);
    return decodeReply(answer);
  }
}

/** The reply to a batch, as its worker's row keeps it. */
export function decodeReply(text: string): Applied {
  const { at, letters, each } = JSON.parse(text) as Reply;
  return { at, outcomes: Array.from(each ?? letters ?? "", (outcome) => outcomeOf(outcome, at)) };
}

interface Reply {
  readonly at: number;
  readonly letters?: string;
  readonly each?: readonly string[];
}

const DONE: Outcome = { is: "done" };
const FENCED: Outcome = { is: "fenced" };

function outcomeOf(outcome: string, at: number): Outcome {
  const text = outcome.slice(1);
  switch (outcome[0]) {
    case "d":
      return DONE;
    case "o":
      return { is: "created", createdAt: at, claimed: true };
    case "c":
      return { is: "created", createdAt: at, claimed: false };
    case "x":
      return { is: "exists" };
    case "C":
      return { is: "conflict", workflow: text };
    case "u":
      return { is: "duplicate" };
    case "n":
      return { is: "not-found" };
    case "e":
      return { is: "ended", status: text as Extract<Outcome, { is: "ended" }>["status"] };
    case "s":
      return { is: "wrong-state", status: text as RunStatus };
    case "i":
      return { is: "inbox-changed" };
    case "r":
      return { is: "refused", reason: text };
    default:
      return FENCED;
  }
}

function textsOf(wave: Wave | undefined): readonly (string | null)[] {
  return [wave?.starts, wave?.advances, wave?.entries, wave?.changes, wave?.rest].map((part) =>
    part === undefined ? null : JSON.stringify(part),
  );
}

function isRefusal(error: unknown): boolean {
  return troubleOf(error instanceof StoreError ? error.cause : error) === "data";
}

function assertLease({ writes, lease }: Batch): void {
  const needs = (write: Write): boolean =>
    write.kind === "advance" || write.kind === "leave" || (write.kind === "start" && write.claim);
  if (lease !== undefined || !writes.some(needs)) return;
  throw new StoreError(
    "a batch without a lease can't advance runs, start claimed ones or leave: give the worker's lease",
  );
}
