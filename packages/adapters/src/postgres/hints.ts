import { randomUUID } from "node:crypto";
import type { Hint } from "@everstep/core";
import type { Client } from "pg";
import type { Database } from "./database.ts";
import { ignore } from "./connections.ts";

/** Hints of others come in groups: one is passed on at once, what follows after this. The same holds for our own to them. */
const GROUP_MS = 20;
/** A notification holds less than 8,000 bytes; beyond that and some of them it says "something" (F50). */
const PAYLOAD_MAX_BYTES = 7_000;
const PAYLOADS_MAX = 20;

/** What a watcher wants to hear of: what may be due or has a message, or what ended. */
export type Interest = "work" | "ends";

interface Watcher {
  readonly listener: (hint: Hint) => void;
  readonly interest: Interest | undefined;
}

/**
 * Tells watchers that something may have changed (S10): at once what this store did, within a moment what others did. Others are told
 * after the commit, in a transaction that writes nothing: NOTIFY within a commit makes all commits of the server wait for each other.
 */
export class Hints {
  readonly #database: Database;
  /** Tells our own notifications from those of others. */
  readonly #self: string = randomUUID().slice(0, 8);
  readonly #watchers = new Set<Watcher>();
  readonly #local: Group;
  readonly #remote: Group;
  readonly #outgoing: Readonly<Record<Interest, Group>>;
  /** Counts what was heard or done: who has seen this number has missed nothing since. */
  heard = 0;
  /** The session listens. Set by whoever opens it. */
  isListening = false;
  /** Whether another process may be waiting for such a hint; true until it is known better. */
  readonly othersWait: Record<Interest, boolean> = { work: true, ends: true };
  /** Another worker has something to lose from now on. */
  onBusy: () => void = ignore;

  constructor(database: Database) {
    this.#database = database;
    this.#local = new Group(0, (runIds) => this.#deliver(runIds, undefined));
    this.#remote = new Group(GROUP_MS, (runIds) => this.#deliver(runIds, undefined));
    this.#outgoing = {
      work: new Group(GROUP_MS, (runIds) => this.#send("work", runIds)),
      ends: new Group(GROUP_MS, (runIds) => this.#send("ends", runIds)),
    };
  }

  get hasWatchers(): boolean {
    return this.#watchers.size > 0;
  }

  get wantsEnds(): boolean {
    return [...this.#watchers].some(({ interest }) => interest !== "work");
  }

  add(listener: Watcher["listener"], interest: Interest | undefined): () => void {
    const watcher = { listener, interest };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** After a commit of ours: these runs became due or got a message, or ended. */
  tell(changed: Readonly<Record<Interest, readonly string[]>>): void {
    for (const interest of ["work", "ends"] as const) {
      const runIds = changed[interest];
      if (runIds.length === 0) continue;
      this.heard += 1;
      if (this.#watchers.size > 0) this.#local.add(runIds);
      if (this.othersWait[interest]) this.#outgoing[interest].add(runIds);
    }
  }

  /** Something changed, and nobody knows what: our watchers are told at once, and others when they wait. */
  tellAll({ others }: { readonly others: boolean }): void {
    this.heard += 1;
    this.#deliver(undefined, undefined);
    if (others && this.othersWait.work) this.#outgoing.work.add(undefined);
  }

  /** The statement that a hint takes inside a caller's own transaction: it is sent with its commit. */
  payloadOf(runIds: readonly string[]): string {
    const payload = this.#encode(runIds);
    return Buffer.byteLength(payload) <= PAYLOAD_MAX_BYTES ? payload : this.#encode(undefined);
  }

  /** On a new session. */
  async listen(client: Client): Promise<void> {
    const { channel } = this.#database;
    await client.query(`LISTEN ${channel}`);
    // Others learn that somebody waits now.
    await client.query("SELECT pg_notify($1, $2)", [channel, `hello ${this.#self}`]);
    await this.listenToEnds(client);
  }

  /** Marked by a shared lock, so that others know whether anybody waits for ends, and for how long. */
  async listenToEnds(client: Client): Promise<void> {
    if (!this.wantsEnds) return;
    const { channel, lockClass } = this.#database;
    await client.query(`LISTEN ${channel}_ends`);
    await client.query(
      `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = $1::int::oid
         AND objid = 2147483647) THEN pg_advisory_lock_shared($1::int, 2147483647) END`,
      [lockClass],
    );
    await client.query("SELECT pg_notify($1, $2)", [channel, `ends ${this.#self}`]);
  }

  /** What the session was notified of. */
  hear(payload: string): void {
    if (payload === "busy") return this.onBusy();
    const [word = "", from] = payload.split(" ", 2);
    if (from === this.#self) return;
    if (word === "hello") this.othersWait.work = true;
    else if (word === "ends") this.othersWait.ends = true;
    else {
      this.heard += 1;
      this.#remote.add(word === "all" ? undefined : runIdsOf(payload));
    }
  }

  close(): void {
    this.#watchers.clear();
    for (const group of [this.#local, this.#remote, this.#outgoing.work, this.#outgoing.ends]) group.clear();
  }

  #deliver(runIds: readonly string[] | undefined, interest: Interest | undefined): void {
    for (const watcher of this.#watchers) {
      if (interest === undefined || watcher.interest === undefined || watcher.interest === interest)
        watcher.listener(runIds === undefined ? {} : { runIds });
    }
  }

  #send(interest: Interest, runIds: readonly string[] | undefined): void {
    const { channel } = this.#database;
    const payloads = this.#payloadsOf(runIds);
    // Lossy by nature: whoever misses it polls.
    this.#database
      .query("SELECT pg_notify($1, p) FROM json_array_elements_text($2::json) p", [
        interest === "work" ? channel : `${channel}_ends`,
        JSON.stringify(payloads),
      ])
      .catch(ignore);
  }

  #payloadsOf(runIds: readonly string[] | undefined): readonly string[] {
    if (runIds === undefined) return [this.#encode(undefined)];
    const payloads: string[] = [];
    let some: string[] = [];
    let bytes = 0;
    for (const runId of runIds) {
      const more = Buffer.byteLength(JSON.stringify(runId)) + 1;
      if (bytes + more > PAYLOAD_MAX_BYTES) {
        payloads.push(this.#encode(some));
        [some, bytes] = [[], 0];
      }
      some.push(runId);
      bytes += more;
    }
    payloads.push(this.#encode(some));
    return payloads.length > PAYLOADS_MAX ? [this.#encode(undefined)] : payloads;
  }

  #encode(runIds: readonly string[] | undefined): string {
    return runIds === undefined ? `all ${this.#self}` : `runs ${this.#self} ${JSON.stringify(runIds)}`;
  }
}

function runIdsOf(payload: string): readonly string[] | undefined {
  try {
    return JSON.parse(payload.slice(payload.indexOf("["))) as string[];
  } catch {
    return undefined; // somebody else's: something may have changed
  }
}

/** Lets the first through at once, and what follows within a moment together. */
class Group {
  readonly #ms: number;
  readonly #pass: (runIds: readonly string[] | undefined) => void;
  #runIds: Set<string> | "all" | undefined;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(ms: number, pass: (runIds: readonly string[] | undefined) => void) {
    this.#ms = ms;
    this.#pass = pass;
  }

  add(runIds: readonly string[] | undefined): void {
    if (runIds === undefined || this.#runIds === "all") this.#runIds = "all";
    else {
      this.#runIds ??= new Set();
      for (const runId of runIds) this.#runIds.add(runId);
    }
    if (this.#timer === undefined) this.#immediate ??= setImmediate(() => this.#flush());
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
    this.#runIds = undefined;
  }

  #flush(): void {
    this.#immediate = undefined;
    this.#timer = undefined;
    const runIds = this.#runIds;
    this.#runIds = undefined;
    if (runIds === undefined) return;
    if (this.#ms > 0) this.#timer = setTimeout(() => this.#flush(), this.#ms).unref();
    this.#pass(runIds === "all" ? undefined : [...runIds]);
  }
}
