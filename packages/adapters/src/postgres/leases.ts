import { type JoinRequest, type Lease, type Renewal, StoreUnavailableError } from "@everstep/core";
import type { Client } from "pg";
import { type Call, ignore, within } from "./connections.ts";
import type { Database } from "./database.ts";
import type { Hints } from "./hints.ts";
import { VERSION } from "./migrations.ts";
import type { Session } from "./session.ts";
import { workerLock } from "./sql.ts";
import { Suspicions, type Suspect } from "./suspicions.ts";

/** A heartbeat that takes longer counts as missed. Two of them fit between two looks of others. */
const BEAT_MAX_MS = 400;
const JOIN_MAX_MS = 5_000;
const TAKE_OVER_MAX_MS = 5_000;
/** How often a worker with runs looks after its own session, so that it knows sooner than others that it is gone. */
const BUSY_EVERY_MS = 450;
/**
 * How often others are looked at while one of them has something to lose: a death is seen after half as much, and certain 0.9 s later.
 * With many workers less often, for all of them look.
 */
const LOOK_EVERY_MS = 450;
const LOOK_PER_WORKER_MS = 10;
/** And while nobody has: about a third of a lease. */
const IDLE_EVERY_MS = 5_000;
/** A worker compares what it holds with what the store says about this often. */
const COMPARE_EVERY_MS = 3_000;

/** What this process remembers of a worker of its own. All instants by the monotonic clock. */
interface Own {
  readonly leaseMs: number;
  /** The session holds its lock. False without a session. */
  isLocked: boolean;
  askedAt: number;
  nextAt: number;
  lookedAt: number;
  comparedAt: number;
  /** When the first lease of others is over. */
  expiryAt: number;
  busy: boolean;
  othersBusy: boolean;
  others: number;
  /** The answer of the last real renewal, and when it came. */
  last: { readonly now: number; readonly expiresAt: number; readonly at: number };
}

interface Answer extends Pick<Renewal, "live" | "now" | "expiresAt" | "owned"> {
  readonly busy: boolean;
  readonly serverUpMs: number;
  readonly others: number;
  readonly othersBusy: boolean;
  readonly nextExpiry: number | null;
  readonly endsHeard: boolean | null;
  readonly suspects: readonly Suspect[] | null;
}

/** Renews the leases of this process's workers, and takes over from others that are dead. */
export class Leases {
  readonly #database: Database;
  readonly #anySession: Session;
  readonly #hints: Hints;
  readonly #own = new Map<number, Own>();
  readonly #suspicions = new Suspicions();

  constructor(database: Database, session: Session, hints: Hints) {
    this.#database = database;
    this.#anySession = session;
    this.#hints = hints;
    hints.onBusy = () => this.#quicken();
  }

  /** Without one, leases alone tell who is alive. */
  get #session(): Session | undefined {
    return this.#database.hasSessions ? this.#anySession : undefined;
  }

  async join({ workflows, leaseMs, host, pid }: JoinRequest): Promise<Lease> {
    await this.#database.ready();
    const lockClass = this.#session === undefined ? null : this.#database.lockClass;
    const refs = workflows.map(({ name, version }) => ({ name, version }));
    const values = [
      JSON.stringify(refs),
      JSON.stringify(specRows(workflows)),
      leaseMs,
      host,
      pid,
      lockClass,
      VERSION,
    ];
    const answer =
      this.#session === undefined
        ? await this.#database.ask("join_worker", values)
        : await this.#joinOver(this.#session, values);
    const lease = JSON.parse(answer[0] ?? "{}") as Lease;
    this.#own.set(lease.worker, newOwn(lease, leaseMs, this.#session?.isOpen === true));
    return lease;
  }

  async renew(lease: Lease): Promise<Renewal> {
    const own = this.#ownOf(lease);
    const now = performance.now();
    const wasAway = now - own.askedAt;
    own.askedAt = now;
    this.#suspicions.saw({ awayMs: wasAway, sessionChangedAt: this.#session?.changedAt ?? -Infinity });
    if (now < own.nextAt && this.#isSafe(own)) return unchanged(own, now);
    return this.#renewNow(lease.worker, own);
  }

  /** On a new session: the locks of the workers that live here. */
  async lockAll(client: Client): Promise<void> {
    const { schema, lockClass } = this.#database;
    for (const [worker, own] of this.#own) {
      const { rows } = await client.query<{ locked: boolean }>(
        `SELECT ${schema}.lock_worker($1, $2) AS locked`,
        [lockClass, worker],
      );
      // The old session may still be alive on the server: then this one tries again with each heartbeat.
      own.isLocked = rows[0]?.locked === true;
      own.nextAt = 0;
    }
  }

  /** The session is gone, and with it the locks. */
  unlocked(): void {
    for (const own of this.#own.values()) {
      own.isLocked = false;
      own.nextAt = 0;
    }
  }

  /** The channel on which others are to hear that this worker has something to lose from now on; null when they know, or nobody listens. */
  announce(worker: number): string | null {
    const own = this.#own.get(worker);
    if (this.#session === undefined || own === undefined || own.busy) return null;
    own.busy = true;
    own.nextAt = Math.min(own.nextAt, performance.now() + BUSY_EVERY_MS);
    return this.#database.channel;
  }

  /** After the worker has left, or has found that it is dead. */
  forget(worker: number): void {
    if (!this.#own.delete(worker)) return;
    this.#session
      ?.use((client) =>
        client.query(`SELECT pg_advisory_unlock($1, ${workerLock("$2::bigint")}::int)`, [
          this.#database.lockClass,
          worker,
        ]),
      )
      .catch(ignore);
  }

  async #joinOver(session: Session, values: Call["values"]): Promise<readonly string[]> {
    try {
      await session.open();
      return await this.#over(session, "join_worker", values, JOIN_MAX_MS);
    } catch (error) {
      throw this.#database.failure(error);
    }
  }

  async #over(
    session: Session,
    fn: string,
    values: Call["values"],
    maxMs: number,
  ): Promise<readonly string[]> {
    const call = this.#database.callOf(fn, values);
    const rows = await session.use((client) =>
      this.#database.connections.send<{ readonly answer: string }>(client, call, maxMs),
    );
    return rows.map(({ answer }) => answer);
  }

  /** Nobody takes over a worker whose session holds its lock, or a worker of a store without sessions before its lease is over. */
  #isSafe(own: Own): boolean {
    return own.isLocked || this.#session === undefined;
  }

  async #renewNow(worker: number, own: Own): Promise<Renewal> {
    const askedAt = performance.now();
    const looks = this.#mayLook(own, askedAt);
    const compares = askedAt - own.comparedAt >= COMPARE_EVERY_MS;
    let answer: Answer;
    try {
      answer = await this.#beat(worker, own, looks, compares);
    } catch (error) {
      if (this.#isSafe(own) || !(error instanceof StoreUnavailableError)) throw error;
      // Others may be about to take over a worker that holds no lock and shows no sign of life: it begins no body meanwhile.
      const { now } = unchanged(own, performance.now());
      return { live: true, now, expiresAt: now, owned: null, reaped: 0 };
    }
    if (!answer.live) {
      this.forget(worker);
      return { live: false, now: answer.now, expiresAt: answer.expiresAt, owned: null, reaped: 0 };
    }
    this.#learn(own, answer, { askedAt, looks, compares });
    const reaped = await this.#takeOver(answer, askedAt);
    return { live: true, now: answer.now, expiresAt: answer.expiresAt, owned: answer.owned, reaped };
  }

  #mayLook(own: Own, now: number): boolean {
    return now - own.lookedAt >= lookEveryMs(own) || now >= own.expiryAt;
  }

  /** Over the session, so that it is known to be alive; without its lock by any connection, and then with a sign of life in the row. */
  async #beat(worker: number, own: Own, looks: boolean, compares: boolean): Promise<Answer> {
    const session = this.#session;
    const ask = async (beats: boolean): Promise<Answer> => {
      const lockClass = session === undefined ? null : this.#database.lockClass;
      const values = [worker, beats, looks, compares, lockClass];
      const rows = await (session === undefined || beats
        ? this.#database.ask("renew", values, session === undefined ? JOIN_MAX_MS : BEAT_MAX_MS)
        : this.#over(session, "renew", values, BEAT_MAX_MS));
      return JSON.parse(rows[0] ?? "{}") as Answer;
    };
    if (session === undefined) return ask(false);
    if (!own.isLocked) await session.use((client) => within(BEAT_MAX_MS, this.lockAll(client))).catch(ignore);
    if (!own.isLocked) return ask(true);
    return ask(false).catch(() => ask(true));
  }

  #learn(
    own: Own,
    answer: Answer,
    { askedAt, looks, compares }: { askedAt: number; looks: boolean; compares: boolean },
  ): void {
    const { now, expiresAt, busy, others, othersBusy, endsHeard, nextExpiry } = answer;
    own.last = { now, expiresAt, at: performance.now() };
    Object.assign(own, { busy, others, othersBusy });
    if (looks) own.lookedAt = askedAt;
    if (compares) own.comparedAt = askedAt;
    this.#hints.othersWait.work = others > 0;
    if (endsHeard !== null) this.#hints.othersWait.ends = endsHeard;
    own.expiryAt = nextExpiry === null ? Infinity : askedAt + Math.max(1, nextExpiry - now + 1);
    const suspects = (answer.suspects ?? []).length > 0;
    // From one look to the next, whatever was asked in between: else two of them are up to three beats apart.
    const lookAt = othersBusy || suspects ? own.lookedAt + lookEveryMs(own) : Infinity;
    own.nextAt = Math.min(own.expiryAt, lookAt, askedAt + this.#periodOf(own, suspects));
  }

  async #takeOver({ suspects, serverUpMs, now }: Answer, askedAt: number): Promise<number> {
    if (suspects === null) return 0;
    let reaped = 0;
    for (const { id, batch, beat, expiresAt } of this.#suspicions.judge(suspects, {
      serverUpMs,
      now,
      at: askedAt,
    })) {
      if (await this.#takeOverOne([id, batch, beat, expiresAt])) reaped += 1;
    }
    return reaped;
  }

  /** Whatever keeps it from being done now, such as a lock on one of its runs: our own renewal has succeeded, and it is looked at again. */
  async #takeOverOne(suspect: Call["values"]): Promise<boolean> {
    try {
      const [answer] = await this.#database.ask("take_over", suspect, TAKE_OVER_MAX_MS);
      return String(answer) === "true";
    } catch (error) {
      if (error instanceof StoreUnavailableError) return false;
      throw error;
    }
  }

  #periodOf(own: Own, suspects: boolean): number {
    const idleMs = Math.min(IDLE_EVERY_MS, own.leaseMs / 3);
    if (this.#session === undefined) return idleMs;
    if (!own.isLocked || own.busy) return Math.min(BUSY_EVERY_MS, idleMs);
    return own.othersBusy || suspects ? Math.min(lookEveryMs(own), idleMs) : idleMs;
  }

  /** Another worker has something to lose now: it is looked at soon, not in five seconds. */
  #quicken(): void {
    const soon = performance.now() + LOOK_EVERY_MS;
    for (const own of this.#own.values()) own.nextAt = Math.min(own.nextAt, soon);
  }

  #ownOf({ worker, now, expiresAt }: Lease): Own {
    let own = this.#own.get(worker);
    if (own === undefined) {
      own = newOwn({ worker, now, expiresAt }, expiresAt - now, false);
      this.#own.set(worker, own);
    }
    return own;
  }
}

function newOwn({ now, expiresAt }: Lease, leaseMs: number, isLocked: boolean): Own {
  const at = performance.now();
  const never = -Infinity;
  return {
    leaseMs,
    isLocked,
    askedAt: at,
    nextAt: never,
    lookedAt: never,
    comparedAt: never,
    expiryAt: never,
    busy: false,
    othersBusy: false,
    others: 0,
    last: { now, expiresAt, at },
  };
}

/** One for each version: what is said last of it. */
function specRows(specs: JoinRequest["workflows"]): readonly object[] {
  const rows = new Map<string, object>();
  for (const { name, version, on: event, priority, timeoutMs: timeout_ms } of specs)
    rows.set(JSON.stringify([name, version]), { name, version, event, priority, timeout_ms });
  return [...rows.values()];
}

function lookEveryMs({ others }: Own): number {
  return Math.max(LOOK_EVERY_MS, others * LOOK_PER_WORKER_MS);
}

function unchanged({ last }: Own, at: number): Renewal {
  return {
    live: true,
    now: last.now + Math.floor(at - last.at),
    expiresAt: last.expiresAt,
    owned: null,
    reaped: 0,
  };
}
