import { isDeepStrictEqual } from "node:util";
import { StoreError, StoreUnavailableError } from "../../errors.ts";
import type { Outcome } from "../../store.ts";
import { Draft } from "./draft.ts";
import type { MemoryData } from "./rows.ts";

/** An open transaction of a memory store. What is written with it is seen by others from its commit on. */
export interface MemoryTx {
  /** Rejects with `StoreUnavailableError`, and changes nothing, when what it was answered is no longer true. */
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

type Work = (draft: Draft) => readonly Outcome[];

/**
 * Keeps what is to be done and does it again, on the data of the time, at its commit. So it holds no lock and
 * nobody waits for it; if any answer would be another one now, it could not be serialized, and says so.
 */
export class Transaction implements MemoryTx {
  readonly #data: MemoryData;
  readonly #publish: (draft: Draft) => void;
  readonly #done: { readonly work: Work; readonly outcomes: readonly Outcome[] }[] = [];
  #open = true;

  constructor(data: MemoryData, publish: (draft: Draft) => void) {
    this.#data = data;
    this.#publish = publish;
  }

  belongsTo(data: MemoryData): boolean {
    return this.#data === data;
  }

  do(work: Work): readonly Outcome[] {
    const outcomes = this.tryDo(work);
    if (outcomes === undefined) throw unserializable();
    return outcomes;
  }

  /** Answers nothing when the transaction can't be serialized with those that committed meanwhile. */
  tryDo(work: Work): readonly Outcome[] | undefined {
    this.#mustBeOpen();
    const draft = this.#draft();
    if (draft === undefined) return undefined;
    const outcomes = work(draft);
    this.#done.push({ work, outcomes });
    return outcomes;
  }

  async commit(): Promise<void> {
    this.#mustBeOpen();
    this.#open = false;
    const draft = this.#draft();
    if (draft === undefined) throw unserializable();
    this.#publish(draft);
  }

  async rollback(): Promise<void> {
    this.#mustBeOpen();
    this.#open = false;
  }

  #draft(): Draft | undefined {
    const draft = new Draft(this.#data);
    const same = this.#done.every(({ work, outcomes }) => isDeepStrictEqual(work(draft), outcomes));
    return same ? draft : undefined;
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new StoreError("this transaction has ended: begin another one");
  }
}

const unserializable = (): StoreUnavailableError =>
  new StoreUnavailableError("this transaction could not be serialized with another one: try it again");
