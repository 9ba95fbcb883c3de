import { type Batch, InvalidArgumentError, type Outcome, StoreError, type Write } from "@everstep/core";
import type { Database } from "./database.ts";
import type { Hints } from "./hints.ts";
import { decodeReply } from "./replies.ts";
import type { PostgresTx } from "./tx.ts";
import { wavesOf } from "./waves.ts";

/**
 * Writes inside a transaction that the application has open: they commit with its own rows, or not at all. What fails there is the
 * application's to see: its transaction can't go on, and everstep must not hide it.
 */
export class Enlisted {
  readonly #database: Database;
  readonly #hints: Hints;

  constructor(database: Database, hints: Hints) {
    this.#database = database;
    this.#hints = hints;
  }

  async apply(tx: PostgresTx, { writes, lease }: Batch<PostgresTx>): Promise<readonly Outcome[]> {
    if (lease !== undefined)
      throw new StoreError("a batch with `tx` has no lease: its runs are never born claimed");
    assertTx(tx);
    writes.forEach(assertEnlistable);
    await this.#database.ready();
    const { waves } = wavesOf(writes, { alone: true });
    // Which runs an event starts is not known before.
    const emits = writes.some(({ kind }) => kind === "emit");
    const hint = this.#hints.payloadOf(emits ? undefined : writes.flatMap(runOf));
    const values = [writes.length, JSON.stringify(waves), this.#database.channel, hint, await beganAt(tx)];
    // Types are said: other drivers than `pg` don't ask the server for them.
    const text = `SELECT ${this.#database.schema}.enlist($1::int, $2::text::json, $3::text, $4::text, $5::text) AS answer`;
    const { rows } = await tx.query(text, values);
    const [row] = rows as readonly { readonly answer: string | null }[];
    if (typeof row?.answer !== "string")
      throw new StoreError(
        "the connection given as `tx` is not in a transaction; begin one, or leave `tx` out",
      );
    return decodeReply(row.answer).outcomes;
  }
}

/** When its transaction began. A connection that is not in one says another time at each statement. */
async function beganAt(tx: PostgresTx): Promise<string> {
  const { rows } = await tx.query("SELECT extract(epoch FROM transaction_timestamp())::text AS began", []);
  const [row] = rows as readonly { readonly began: string }[];
  return row?.began ?? "";
}

/** Said by its type already, but some programs have none: Drizzle's transaction has a `query` too, which is none. */
function assertTx(tx: PostgresTx): void {
  if (typeof tx === "object" && tx !== null && typeof tx.query === "function") return;
  throw new InvalidArgumentError(
    "tx must be a client of pg in an open transaction; of other libraries' transactions make one with drizzleTx(), kyselyTx() or prismaTx() of @everstep/adapters/postgres",
  );
}

function assertEnlistable(write: Write): void {
  if ((write.kind === "start" && !write.claim) || write.kind === "message" || write.kind === "emit") return;
  throw new StoreError(`a write of kind ${write.kind} can't be part of a caller's transaction`);
}

function runOf(write: Write): string[] {
  if (write.kind === "start") return [write.run.id];
  return "runId" in write ? [write.runId] : [];
}
