import type { Database } from "better-sqlite3";
import type { Scope } from "./scope.ts";
import { prepare } from "./statement.ts";

export interface PurgedRun {
  readonly id: string;
  readonly workflow: string;
  readonly input_hash: string;
}

/** How long ids of purged runs and of events are remembered: 90 days. */
const REMEMBERED_MS = 90 * 86_400_000;

/** A purge forgets so many of each at most. */
const FORGET_MAX = 1_000;

/** Ids of purged runs. They stay taken for a while, so that who starts a run once more by mistake does not do its work again. */
export class PurgedIds {
  readonly #isAny;
  readonly #find;
  readonly #remember;
  readonly #remembered;
  #known: { readonly scope: Scope; readonly isAny: boolean } | undefined;

  constructor(db: Database) {
    this.#isAny = prepare<[], number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM everstep_purged WHERE no > 0)`,
    ).pluck();
    this.#find = prepare<[string], PurgedRun>(
      db,
      `SELECT id, workflow, input_hash FROM everstep_purged WHERE id = ?`,
    );
    this.#remember = prepare<[string, string, string, number]>(
      db,
      `INSERT INTO everstep_purged (id, workflow, input_hash, at) VALUES (?, ?, ?, ?)`,
    );
    this.#remembered = (["everstep_purged", "everstep_events"] as const).map((table) => ({
      oldest: prepare<[], number>(db, `SELECT at FROM ${table} WHERE no > 0 ORDER BY no LIMIT 1`).pluck(),
      // Looks at the oldest rows only, however many there are.
      forget: prepare<[number]>(
        db,
        `DELETE FROM ${table} WHERE no IN (
           SELECT no FROM (SELECT no, at FROM ${table} WHERE no > 0 ORDER BY no LIMIT ${FORGET_MAX}) WHERE at < ?)`,
      ),
    }));
  }

  /** The run that had this id until it was purged. Where nothing was ever purged, a batch of starts pays for one look. */
  find(id: string, scope: Scope): PurgedRun | undefined {
    if (this.#known?.scope !== scope) this.#known = { scope, isAny: this.#isAny.get() === 1 };
    return this.#known.isAny ? this.#find.get(id) : undefined;
  }

  remember(runs: readonly PurgedRun[], scope: Scope): void {
    this.#known = undefined;
    for (const { id, workflow, input_hash } of runs) this.#remember.run(id, workflow, input_hash, scope.now);
  }

  /** What is older, among it events. */
  forgetOld({ now }: Scope): void {
    for (const { oldest, forget } of this.#remembered) {
      if ((oldest.get() ?? now) < now - REMEMBERED_MS) forget.run(now - REMEMBERED_MS);
    }
  }
}
