import type { Database } from "better-sqlite3";
import type { ChildEnd, EndStatus, Outcome } from "@everstep/core";
import type { MessageWrites, Recipient as Addressee } from "./message-writes.ts";
import { OTHERS_WAIT, PARENT_WAITS } from "./origins.ts";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

/** A run with what others are told of it. */
interface Awaited {
  readonly no: number;
  readonly id: string;
  readonly awaited: number;
  readonly ended: EndStatus | null;
  readonly result: string | null;
  readonly error: string | null;
}

interface Recipient extends Addressee {
  readonly id: string;
}

interface Wait {
  readonly no: number;
  readonly waiter: number;
  readonly key: string;
}

/** A run that is about to end. */
interface Ending {
  readonly no: number;
  readonly id: string;
}

interface End {
  readonly status: EndStatus;
  readonly result?: string | undefined;
  readonly error?: string | undefined;
}

/**
 * Who waits for the end of a run, and hears of it in the transaction that ends it (S12). A run that has ended itself is not told:
 * it goes on waiting, in case that a person lets it go on.
 */
export class Waiters {
  readonly #messages: MessageWrites;
  readonly #origin;
  readonly #named;
  readonly #others;
  readonly #recipient;
  readonly #awaited;
  readonly #missedChildren;
  readonly #missedOthers;
  readonly #bits;
  readonly #add;
  readonly #told;
  readonly #mark;

  constructor(db: Database, messages: MessageWrites) {
    this.#messages = messages;
    const recipient = "r.no, r.id, r.inbox, r.ended";
    const awaited = `r.no, r.id, r.awaited, r.ended,
      (SELECT o.result FROM everstep_results o WHERE o.run = r.no) AS result,
      (SELECT o.error FROM everstep_results o WHERE o.run = r.no) AS error`;
    // Two statements: as one join they take four times as long, for every child that ends.
    this.#origin = prepare<[number], { readonly parent: string; readonly key: string }>(
      db,
      `SELECT parent, key FROM everstep_origins WHERE run = ? AND parent IS NOT NULL`,
    );
    this.#named = prepare<[string], Recipient>(db, `SELECT ${recipient} FROM everstep_runs r WHERE r.id = ?`);
    this.#others = prepare<[number], Wait>(
      db,
      `SELECT no, waiter, key FROM everstep_waiters WHERE run = ? ORDER BY no`,
    );
    this.#recipient = prepare<[number], Recipient>(
      db,
      `SELECT ${recipient} FROM everstep_runs r WHERE r.no = ?`,
    );
    this.#awaited = prepare<[string], Awaited>(db, `SELECT ${awaited} FROM everstep_runs r WHERE r.id = ?`);
    this.#missedChildren = prepare<[string], Awaited>(
      db,
      `SELECT ${awaited} FROM everstep_origins g INDEXED BY everstep_origins_parent CROSS JOIN everstep_runs r ON r.no = g.run
       WHERE g.parent = ? AND r.awaited & ${PARENT_WAITS} AND r.ended IS NOT NULL ORDER BY g.run`,
    );
    this.#missedOthers = prepare<[number], Awaited>(
      db,
      `SELECT DISTINCT ${awaited} FROM everstep_waiters w CROSS JOIN everstep_runs r ON r.no = w.run
       WHERE w.waiter = ? AND r.ended IS NOT NULL`,
    );
    this.#bits = prepare<[number], number>(db, `SELECT awaited FROM everstep_runs WHERE no = ?`).pluck();
    // One that waits already, under the same key, waits anew.
    this.#add = prepare<[run: number, waiter: number, key: string]>(
      db,
      `INSERT OR REPLACE INTO everstep_waiters (run, waiter, key) VALUES (?, ?, ?)`,
    );
    this.#told = prepare<[number]>(db, `DELETE FROM everstep_waiters WHERE no = ?`);
    this.#mark = prepare<[awaited: number, run: number]>(
      db,
      `UPDATE everstep_runs SET awaited = ? WHERE no = ?`,
    );
  }

  /** From now on `waiter` waits for the end of a run, and is told at once if that has ended. */
  add(waiter: Pick<Recipient, "no">, runId: string, key: string, scope: Scope): Outcome {
    const run = this.#awaited.get(storable(runId, "the run's id"));
    if (run === undefined) return NOT_FOUND;
    const parent = this.#parentOf(run.no);
    const isSame = parent?.run.no === waiter.no && parent.key === key;
    const awaited = (isSame ? run.awaited & ~PARENT_WAITS : run.awaited) | OTHERS_WAIT;
    this.#add.run(run.no, waiter.no, storable(key, "the key of the child"));
    this.#mark.run(awaited, run.no);
    if (run.ended !== null) this.#tellOf(run, scope);
    return DONE;
  }

  /** To be called just before the run's row says that it ended. Answers who waits on: its `awaited` from then on. */
  tell(run: Ending, end: End, scope: Scope): number {
    const payload = payloadOf(end);
    let left = this.#bits.get(run.no) ?? 0;
    if ((left & PARENT_WAITS) !== 0) {
      const parent = this.#parentOf(run.no);
      if (parent !== undefined && this.#tellOne(run, parent.run, parent.key, payload, scope))
        left &= ~PARENT_WAITS;
    }
    if ((left & OTHERS_WAIT) !== 0) {
      const isTold = (wait: Wait): boolean => this.#tellOther(run, wait, payload, scope);
      const waits = this.#others.all(run.no);
      if (waits.filter(isTold).length === waits.length) left &= ~OTHERS_WAIT;
    }
    return left;
  }

  #parentOf(run: number): { readonly run: Recipient; readonly key: string } | undefined {
    const origin = this.#origin.get(run);
    const parent = origin === undefined ? undefined : this.#named.get(origin.parent);
    return origin === undefined || parent === undefined ? undefined : { run: parent, key: origin.key };
  }

  /** A person lets an ended run go on: it hears of the ends that it missed. */
  tellMissed({ no, id }: Pick<Recipient, "no" | "id">, scope: Scope): void {
    for (const run of this.#missedChildren.all(id)) this.#tellOf(run, scope);
    for (const run of this.#missedOthers.all(no)) this.#tellOf(run, scope);
  }

  /** Of a run that has ended before. */
  #tellOf(run: Awaited, scope: Scope): void {
    if (run.ended === null) return;
    const { result, error } = run;
    const end = { status: run.ended, result: result ?? undefined, error: error ?? undefined };
    this.#mark.run(this.tell(run, end, scope), run.no);
  }

  #tellOther(run: Ending, { no, waiter, key }: Wait, payload: string, scope: Scope): boolean {
    // Read one by one: a run may wait under two keys.
    const recipient = this.#recipient.get(waiter);
    if (recipient === undefined || !this.#tellOne(run, recipient, key, payload, scope)) return false;
    this.#told.run(no);
    return true;
  }

  /** False for one that has ended, as a run that waits for itself has by then. */
  #tellOne({ no, id }: Ending, recipient: Recipient, key: string, payload: string, scope: Scope): boolean {
    if (recipient.ended !== null || recipient.no === no) return false;
    this.#messages.deliver(recipient.id, recipient, { type: "child", id, name: key, payload }, scope);
    return true;
  }
}

function payloadOf({ status, result, error }: End): string {
  const end: ChildEnd = {
    status,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
  };
  return JSON.stringify(end);
}
