import { type Batch, type Outcome, StoreError, type Write } from "@everstep/core";
import { type Applied, decodeReply } from "./batches.ts";
import type { Database } from "./database.ts";
import { sqlStateOf } from "./failure.ts";
import type { Hints } from "./hints.ts";
import type { PostgresTx } from "./tx.ts";
import { wavesOf } from "./waves.ts";

/**
 * Writes inside a transaction that the application has open: they commit with its own rows, or not at all. What fails there is the
 * application's to see: its transaction can't go on, and everstep must not hide it.
 */
export class Enlisted {
  readonly #database: Database;
  readonly #hints: Hints;
  readonly #channel: string | null;

  constructor(database: Database, hints: Hints, channel: string | null) {
    this.#database = database;
    this.#hints = hints;
    this.#channel = channel;
  }

  async apply(tx: PostgresTx, { writes, lease }: Batch<PostgresTx>): Promise<readonly Outcome[]> {
    if (lease !== undefined)
      throw new StoreError("a batch with `tx` has no lease: its runs are never born claimed");
    writes.forEach(assertEnlistable);
    await this.#database.ready();
    const { waves } = wavesOf(writes, true);
    const hint = this.#hints.payloadOf(writes.flatMap(runOf));
    const values = [writes.length, JSON.stringify(waves), this.#channel, hint];
    // Types are said: other drivers than `pg` don't ask the server for them.
    const text = `SELECT ${this.#database.schema}.enlist($1::int, $2::text::json, $3::text, $4::text) AS answer`;
    const { outcomes } = await this.#send(tx, text, values);
    return outcomes;
  }

  async #send(tx: PostgresTx, text: string, values: (string | number | null)[]): Promise<Applied> {
    try {
      const { rows } = await tx.query(text, values);
      const [row] = rows as readonly { readonly answer: string }[];
      return decodeReply(row?.answer ?? "{}");
    } catch (error) {
      if (!(error instanceof Error) || sqlStateOf(error) !== "ES002") throw error;
      throw new StoreError(error.message, { cause: error });
    }
  }
}

function assertEnlistable(write: Write): void {
  if ((write.kind === "start" && !write.claim) || write.kind === "message") return;
  throw new StoreError(`a write of kind ${write.kind} can't be part of a caller's transaction`);
}

function runOf(write: Write): string[] {
  if (write.kind === "start") return [write.run.id];
  return "runId" in write ? [write.runId] : [];
}
