import { InvalidArgumentError } from "@everstep/core";
import type { ClientBase } from "pg";
import { sqlStateOf } from "./failure.ts";

/** The server ended the transaction, in which nothing happened for so long. */
export const IDLED = "25P03";

type Send = (...args: readonly unknown[]) => unknown;

/** What happens to a transaction while the caller's function has its connection. */
export class BodyWatch {
  /** The server ended the transaction (F53): there is no query that could be told. */
  idled: unknown;
  /** The function used its connection after it had ended the transaction. Libraries wrap this error, or hide it behind one of their own. */
  misused: InvalidArgumentError | undefined;
  readonly #client: ClientBase;
  readonly #query: Send;
  readonly #hear = (error: unknown): void => {
    if (sqlStateOf(error) === IDLED) this.idled = error;
  };

  constructor(client: ClientBase) {
    this.#client = client;
    // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was, and called with its client
    this.#query = client.query;
    client.on("error", this.#hear);
    Object.assign(client, { query: (...args: readonly unknown[]) => this.#send(args) });
  }

  over(): void {
    this.#client.off("error", this.#hear);
    Object.assign(this.#client, { query: this.#query });
  }

  /** P4: after a ROLLBACK of the function's own, or a COMMIT that was refused, each statement would be committed by itself. */
  #send(args: readonly unknown[]): unknown {
    if (this.#client.getTransactionStatus() === "I") {
      this.misused = ownCommit();
      throw this.misused;
    }
    const sent = this.#query.apply(this.#client, [...args]);
    return sent instanceof Promise ? sent.catch((error: unknown) => this.#failed(error)) : sent;
  }

  /** The server says what a refusal did to the transaction only after the refusal itself: an empty statement waits for that. */
  async #failed(error: unknown): Promise<never> {
    try {
      await this.#query.call(this.#client, "");
    } catch {
      // The connection is gone, and the transaction with it.
    }
    throw error;
  }
}

export function ownCommit(): InvalidArgumentError {
  return new InvalidArgumentError(
    "the function of a transaction must not begin, commit or roll back by itself: everstep commits its work together with the journal. It was rolled back; use savepoints for a part that may fail alone",
  );
}
