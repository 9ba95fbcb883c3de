import { setTimeout as delay } from "node:timers/promises";
import { type NewEntry, type OutboxEvent, StoreUnavailableError, type TransactRequest } from "@everstep/core";
import { type ClientBase, escapeLiteral } from "pg";
import { BodyWatch, IDLED, ownCommit } from "./body-watch.ts";
import { within } from "./connections.ts";
import type { Database } from "./database.ts";
import { BROKEN_PROMISE, FENCED, OWN_COMMIT, sqlStateOf, troubleOf } from "./failure.ts";
import { Lifeline } from "./lifeline.ts";

/** A transaction in which nothing happens for so long is ended by the server: a frozen worker must not keep rows locked (F53). */
const IDLE_MAX_MS = 10_000;
/** Beginning and committing take no longer, or the connection is given up. */
const EXCHANGE_MAX_MS = 10_000;
/**
 * How often a deadlock, a refused serialization or a timeout of the function's own SQL is tried again, with pauses of up to a second,
 * before it counts as the function's failure. An outage is waited for without end, as by each write of a worker: with the run, what its
 * other bodies did in the meantime would be given up (F36).
 */
const TRIES_MAX = 20;
const PAUSE_FIRST_MS = 10;
const PAUSE_MAX_MS = 1_000;

/** The function went on after an error of its SQL, which its transaction could not. */
const ABORTED = "25P02";
const NO_RIGHT = "42501";
/** Refusals that the caller's function brought about, although they look like outages. */
const CALLERS: ReadonlySet<string> = new Set([IDLED, ABORTED, NO_RIGHT]);

type Answer = { readonly is: "done" } | { readonly is: "fenced" };
type Settlement = {
  readonly entry: NewEntry;
  readonly settled: readonly string[];
  readonly outbox?: readonly OutboxEvent[];
};

/** Where its guard is, when it is worth beginning, and the server's process. */
interface Place {
  readonly place: string | null;
  readonly pid: number;
}

/** How one try came out. `thrown`: by the caller's own code, to whom it goes back as it is. */
type Try =
  | Answer
  | { readonly is: "thrown"; readonly error: unknown }
  /** The COMMIT was sent, and no answer came. */
  | { readonly is: "unknown"; readonly entry: NewEntry; readonly error: unknown }
  /** `ofBody`: the caller's own SQL ran into it. */
  | { readonly is: "again"; readonly error: unknown; readonly ofBody?: true };

/**
 * The caller's SQL and its journal entry in one transaction. The fence, the entry and COMMIT are one exchange after the caller's
 * function: a worker that freezes before it has locked nothing of everstep, and one that freezes after it has committed.
 */
export class Transacting {
  readonly #database: Database;
  readonly #slots: Slots;

  constructor(database: Database) {
    this.#database = database;
    // The last connections are for commits and claims: a function may wait for something that has to be committed (F43).
    this.#slots = new Slots(Math.max(1, database.connections.max - 2));
  }

  async apply<T>(request: TransactRequest<ClientBase, T>): Promise<Answer> {
    await this.#database.ready();
    await this.#slots.take();
    try {
      return await this.#insist(request);
    } finally {
      this.#slots.give();
    }
  }

  async #insist<T>(request: TransactRequest<ClientBase, T>): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      let tried = await this.#try(request);
      if (tried.is === "unknown") tried = await this.#resolve(request, tried);
      if (tried.is === "done" || tried.is === "fenced") return tried;
      if (tried.is === "thrown") throw tried.error;
      if (this.#database.isClosed) throw this.#database.failure(tried.error);
      if (tries >= TRIES_MAX && tried.is === "again" && tried.ofBody === true && isAnswer(tried.error))
        throw tried.error;
      if (tries >= TRIES_MAX && !isOutage(tried.error)) throw this.#database.failure(tried.error);
      await delay(Math.random() * Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** tries));
    }
  }

  async #try<T>(request: TransactRequest<ClientBase, T>): Promise<Try> {
    try {
      return await this.#database.connections.borrow((client) => this.#within(client, request));
    } catch (error) {
      if (error instanceof Ended) return error.how;
      return { is: "again", error };
    }
  }

  /** Throws when the connection is of no further use. */
  async #within<T>(client: ClientBase, request: TransactRequest<ClientBase, T>): Promise<Try> {
    const { place, pid } = await this.#open(client, request);
    if (place === null) {
      await within(EXCHANGE_MAX_MS, client.query("ROLLBACK"));
      return { is: "fenced" };
    }
    const watch = new BodyWatch(client);
    const lifeline = new Lifeline(this.#database.connections, client, pid);
    let executed: { readonly settlement: Settlement } | { readonly error: unknown };
    try {
      executed = { settlement: request.settle(await request.body(client)) };
    } catch (error) {
      executed = { error };
    } finally {
      watch.over();
      lifeline.over();
    }
    const found = watch.idled ?? watch.misused;
    if (found !== undefined) return this.#bodyFailed(client, found);
    if ("error" in executed) return this.#bodyFailed(client, executed.error, lifeline.isLost);
    return this.#settle(client, request, { place, settlement: executed.settlement });
  }

  async #open<T>(
    client: ClientBase,
    { worker, runId, attempt }: TransactRequest<ClientBase, T>,
  ): Promise<Place> {
    await within(
      EXCHANGE_MAX_MS,
      client.query(
        `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_MAX_MS}`,
      ),
    );
    const opened = client.query<Place>(
      `SELECT ${this.#database.schema}.open_transact($1, $2, $3) AS place, pg_backend_pid() AS pid`,
      [worker, runId, attempt],
    );
    const { rows } = await within(EXCHANGE_MAX_MS, opened);
    return rows[0] ?? { place: null, pid: 0 };
  }

  /** The database's failures are outages, whoever ran into them; anything else is the caller's. */
  async #bodyFailed(client: ClientBase, error: unknown, isLost = false): Promise<Try> {
    const state = sqlStateOf(refusalIn(error));
    // Without an answer of the server, "connection refused" may be what somebody else said to the function.
    const isOurs = state !== undefined || isReadTimeout(error);
    const trouble = isLost ? "outage" : isOurs ? troubleOf(refusalIn(error)) : undefined;
    const isCallers = CALLERS.has(state ?? "");
    const how: Try =
      (trouble === "outage" || trouble === "again") && !isCallers
        ? { is: "again", error, ofBody: true }
        : { is: "thrown", error: explained(error) };
    // Over another connection: on this one a statement may be prepared for what is not there any more (F51).
    if (how.is === "again") throw new Ended(how);
    try {
      await within(EXCHANGE_MAX_MS, client.query("ROLLBACK"));
    } catch {
      throw new Ended(how);
    }
    return how;
  }

  /** One exchange: if the fence refuses, the COMMIT behind it is not executed. */
  async #settle<T>(
    client: ClientBase,
    { worker, runId, attempt }: TransactRequest<ClientBase, T>,
    {
      place,
      settlement: { entry, settled, outbox },
    }: { readonly place: string; readonly settlement: Settlement },
  ): Promise<Try> {
    const values = [
      String(worker),
      escapeLiteral(runId),
      String(attempt),
      escapeLiteral(place),
      escapeLiteral(JSON.stringify(entry)),
      escapeLiteral(JSON.stringify(settled)),
      outbox === undefined ? "NULL" : escapeLiteral(JSON.stringify(outbox)),
    ];
    try {
      await within(
        EXCHANGE_MAX_MS,
        client.query(`SELECT ${this.#database.schema}.settle_transact(${values.join(", ")}); COMMIT`),
      );
      return { is: "done" };
    } catch (error) {
      return this.#refused(client, error, entry);
    }
  }

  async #refused(client: ClientBase, error: unknown, entry: NewEntry): Promise<Try> {
    const state = sqlStateOf(error);
    if (state === IDLED) throw new Ended({ is: "thrown", error: explained(error) });
    // Without an answer of the server nobody knows whether it committed.
    if (state === undefined || /^(?:08|57P)/.test(state)) throw new Ended({ is: "unknown", entry, error });
    await within(EXCHANGE_MAX_MS, client.query("ROLLBACK"));
    if (state === FENCED) return { is: "fenced" };
    if (state === OWN_COMMIT) return { is: "thrown", error: ownCommit() };
    if (state === ABORTED) return { is: "thrown", error: explained(error) };
    if (state === BROKEN_PROMISE) return { is: "thrown", error: this.#database.failure(error) };
    const trouble = troubleOf(error);
    if (trouble === "again" || trouble === "outage") return { is: "again", error };
    // What only COMMIT finds out: a deferred constraint of the caller's tables.
    return { is: "thrown", error: explained(error) };
  }

  /** Waits until the lost transaction is over, by the lock that it held, and looks for its entry. */
  async #resolve<T>(
    { runId, attempt }: TransactRequest<ClientBase, T>,
    { entry, error }: Extract<Try, { is: "unknown" }>,
  ): Promise<Try> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#database.query(`SELECT no FROM everstep.runs WHERE id = $1 FOR NO KEY UPDATE`, [runId]);
        const found = await this.#database.query(
          `SELECT 1 FROM everstep.journal j JOIN everstep.runs r ON r.no = j.run
           WHERE r.id = $1 AND j.seq = $2 AND j.attempt = $3 AND j.key = $4`,
          [runId, entry.seq, attempt, entry.key],
        );
        return found.length > 0 ? { is: "done" } : { is: "again", error };
      } catch (failure) {
        if (!isOutage(failure)) throw failure;
        await delay(Math.random() * Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** tries));
      }
    }
  }
}

/** So many at a time; the others wait in line. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** The server is there, and refuses this: an order of transactions (class 40), a wait for a lock, a statement that takes too long. */
function isAnswer(error: unknown): boolean {
  return /^(?:40|55P03|57014)/.test(sqlStateOf(refusalIn(error)) ?? "");
}

/** The server's answer, which libraries on top of the driver wrap into errors of their own. */
function refusalIn(error: unknown): unknown {
  let inner = error;
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    if (sqlStateOf(inner) !== undefined) return inner;
    inner = inner.cause;
  }
  return error;
}

/** Of a pool with `query_timeout`: nobody knows what the connection is doing. */
function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

function isOutage(error: unknown): boolean {
  return error instanceof StoreUnavailableError || troubleOf(error) === "outage";
}

/** On its way past the pool, which destroys the connection. */
class Ended extends Error {
  readonly how: Try;

  constructor(how: Try) {
    super("the connection is of no further use");
    this.how = how;
  }
}

/** What Postgres says of it does not tell what to do. The error stays the caller's own. */
function explained(error: unknown): unknown {
  const remedy = remedyFor(error);
  if (remedy !== undefined && error instanceof Error) error.message += ` (${remedy})`;
  return error;
}

function remedyFor(error: unknown): string | undefined {
  const state = sqlStateOf(error);
  if (state === IDLED)
    return `the function of a transaction may not let ${IDLE_MAX_MS / 1000} s pass between two statements: do what takes longer in a step of its own`;
  if (state === ABORTED)
    return "the function of a transaction caught an error of its SQL and went on: let it through, or use a savepoint for what may fail alone";
  if (error instanceof Error && "constraint" in error && error.constraint === "guard_id_fkey")
    return "the function of a transaction tried to commit by itself, which everstep refuses";
  return undefined;
}
