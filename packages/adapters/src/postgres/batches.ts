import { type Batch, StoreError, type Write } from "@everstep/core";
import { arrayLiteral } from "./array-literal.ts";
import { ignore } from "./connections.ts";
import type { Database } from "./database.ts";
import { isInTheWay, isNotPlain, isOutOfOrder, isRefusal } from "./failure.ts";
import { type PlainCall, plainCall } from "./plain-batches.ts";
import { type Applied, decodeReply, expectedReply } from "./replies.ts";
import {
  type AdvanceColumn,
  type Columns,
  type EntryColumn,
  type Wave,
  wavesOf,
  type WavesOptions,
} from "./waves.ts";

/** Applies batches: one statement each (S1), at most once each (S2), under a lease that still holds (S3). */
export class Batches {
  readonly #database: Database;
  readonly #announce: (worker: number) => string | null;
  readonly #turns = new Map<number, Promise<void>>();

  /** `announce`: where to say that a worker has something to lose from now on; null when that is known, or nobody listens. */
  constructor(database: Database, announce: (worker: number) => string | null) {
    this.#database = database;
    this.#announce = announce;
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
    const channel = batch.lease === undefined ? null : this.#announce(batch.lease.worker);
    const plain = plainCall(batch);
    const applied = plain && (await this.#applyPlain(plain, channel).catch(unlessRefused));
    return applied ?? this.#insist(batch, channel, {});
  }

  async #insist(batch: Batch, channel: string | null, how: WavesOptions): Promise<Applied> {
    try {
      return await this.#send(batch, channel, how);
    } catch (error) {
      // A bad row sinks itself only (F57): again, each write for itself, which would cost too much as a habit.
      if (isRefusal(error) && how.alone !== true)
        return this.#insist(batch, channel, { ...how, alone: true });
      // F42: so does locking first what is seldom needed, or doing one write after the other.
      if (isInTheWay(error) && how.ordered !== true)
        return this.#insist(batch, channel, { ...how, ordered: true });
      if (isOutOfOrder(error) && how.single !== true)
        return this.#insist(batch, channel, { ...how, single: true });
      throw error;
    }
  }

  /** Undefined when it is not as plain as it looked. */
  async #applyPlain({ fn, values }: PlainCall, channel: string | null): Promise<Applied | undefined> {
    try {
      const [answer] = await this.#database.ask(fn, [...values, channel]);
      return answer === undefined || answer === null ? undefined : decodeReply(answer);
    } catch (failure) {
      if (!isNotPlain(failure)) throw failure;
      return undefined;
    }
  }

  async #send(batch: Batch, channel: string | null, how: WavesOptions): Promise<Applied> {
    const { writes, lease } = batch;
    const { alone = false, ordered = false } = how;
    const { waves, leave, locks, outbox } = wavesOf(writes, how);
    const [first, ...more] = alone || leave !== null ? [{}, ...waves] : waves;
    const [answer = "{}"] = await this.#database.ask("commit", [
      lease?.worker ?? null,
      lease?.batch ?? null,
      expectedReply(writes),
      ...parametersOf(first ?? {}),
      more.length === 0 ? null : JSON.stringify(more),
      outbox.length === 0 ? null : JSON.stringify(outbox),
      locks.length === 0 ? null : arrayLiteral(locks),
      ordered,
      leave?.wave ?? null,
      leave?.i ?? null,
      alone,
      channel,
    ]);
    return decodeReply(answer);
  }
}

/** Data that is refused is refused by itself. */
function unlessRefused(error: unknown): undefined {
  if (!isRefusal(error)) throw error;
}

const ADVANCE_COLUMNS: readonly AdvanceColumn[] = ["i", "id", "attempt", "first", "seen"];
const ENTRY_COLUMNS: readonly EntryColumn[] = ["i", "seq", "kind", "key", "at", "value", "error"];

/** A wave as the function takes it. */
function parametersOf({ starts, advances, entries, changes, rest, extra }: Wave): readonly (string | null)[] {
  return [
    textOf(starts),
    ...columnsOf(advances, ADVANCE_COLUMNS),
    ...columnsOf(entries, ENTRY_COLUMNS),
    textOf(changes),
    textOf(rest),
    textOf(extra),
  ];
}

function textOf(part: unknown): string | null {
  return part === undefined ? null : JSON.stringify(part);
}

function columnsOf<Name extends string>(
  columns: Columns<Name> | undefined,
  names: readonly Name[],
): readonly (string | null)[] {
  return names.map((name) => (columns === undefined ? null : arrayLiteral(columns[name])));
}

function assertLease({ writes, lease }: Batch): void {
  const needs = (write: Write): boolean =>
    write.kind === "advance" || write.kind === "leave" || (write.kind === "start" && write.claim);
  if (lease !== undefined || !writes.some(needs)) return;
  throw new StoreError(
    "a batch without a lease can't advance runs, start claimed ones or leave: give the worker's lease",
  );
}
