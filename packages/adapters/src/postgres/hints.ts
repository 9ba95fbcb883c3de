import { randomUUID } from "node:crypto";
import type { Hint, Interest } from "@everstep/core";
import type { Client } from "pg";
import type { Database } from "./database.ts";
import { ignore, within } from "./connections.ts";
import { ENDS_LOCK } from "./sql.ts";

/** Hints of others come in groups: one is passed on at once, what follows after this. The same holds for our own to them. */
const GROUP_MS = 20;
/** A notification holds less than 8,000 bytes; beyond that and some of them it says "something" (F50). */
const PAYLOAD_MAX_BYTES = 7_000;
const PAYLOADS_MAX = 20;
/** A store that is closed waits no longer than this for what it has to say. */
const FAREWELL_MAX_MS = 1_000;
/** Undefined: nobody knows which. */
type RunIds = readonly string[] | undefined;

interface Watcher {
  readonly listener: (hint: Hint) => void;
  readonly interest: Interest | undefined;
}

/**
 * Tells watchers that something may have changed (S10): at once what this store did, within a moment what others did. Others are
 * told after the commit, in a transaction that writes nothing: NOTIFY within a commit makes all commits of the server wait for each
 * other.
 */
export class Hints {
  readonly #database: Database;
  /** Tells our own notifications from those of others. */
  readonly #self: string = randomUUID().slice(0, 8);
  readonly #watchers = new Set<Watcher>();
  readonly #local: Readonly<Record<Interest, Group>>;
  readonly #remote: Readonly<Record<Interest, Group>>;
  readonly #outgoing: Readonly<Record<Interest, Group>>;
  readonly #sending = new Set<Promise<void>>();
  /** Counts what may have become due: who has seen this number has missed nothing since. */
  heard = 0;
  /** The session listens. Set by whoever opens it. */
  isListening = false;
  /** Whether another process may be waiting for such a hint; true until it is known better. */
  readonly othersWait: Record<Interest, boolean> = { work: true, ends: true };
  /** The session that listens to ends: it goes on when nobody waits any more, for soon somebody will again. */
  #endsClient: Client | undefined;
  /** Another worker has something to lose from now on. */
  onBusy: () => void = ignore;

  constructor(database: Database) {
    this.#database = database;
    const groupsOf = (
      ms: number,
      pass: (interest: Interest, runIds: RunIds) => void,
    ): Readonly<Record<Interest, Group>> => ({
      work: new Group(ms, (runIds) => pass("work", runIds)),
      ends: new Group(ms, (runIds) => pass("ends", runIds)),
    });
    this.#local = groupsOf(0, (interest, runIds) => this.#deliver(runIds, interest));
    this.#remote = groupsOf(GROUP_MS, (interest, runIds) => this.#deliver(runIds, interest));
    this.#outgoing = groupsOf(GROUP_MS, (interest, runIds) => this.#send(interest, runIds));
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
      if (interest === "work") this.heard += 1;
      if (this.#watchers.size > 0) this.#local[interest].add(runIds);
      if (this.othersWait[interest]) this.#outgoing[interest].add(runIds);
    }
  }

  /** Something changed, and nobody knows what: our watchers are told at once, and others when they wait. */
  tellAll({ others }: { readonly others: boolean }): void {
    this.heard += 1;
    this.#deliver(undefined, undefined);
    if (others && this.othersWait.work) this.#outgoing.work.add(undefined);
  }

  /** What is said inside a caller's own transaction. It is heard with its commit, here as well: nobody else tells us of that. */
  payloadOf(runIds: RunIds): string {
    const payload = encode("caller", runIds);
    return Buffer.byteLength(payload) <= PAYLOAD_MAX_BYTES ? payload : encode("caller", undefined);
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
    if (!this.wantsEnds || this.#endsClient === client) return;
    this.#endsClient = client;
    const { channel, lockClass } = this.#database;
    await client.query(`LISTEN ${channel}_ends`);
    await client.query("SELECT pg_advisory_lock_shared($1, $2)", [lockClass, ENDS_LOCK]);
    await client.query("SELECT pg_notify($1, $2)", [channel, `ends ${this.#self}`]);
  }

  /** What the session was notified of. */
  hear(channel: string, payload: string): void {
    if (payload === "busy") return this.onBusy();
    const [word = "", from] = payload.split(" ", 2);
    if (from === this.#self) return;
    if (word === "hello") this.othersWait.work = true;
    else if (word === "ends") this.othersWait.ends = true;
    else {
      const interest = channel === this.#database.channel ? "work" : "ends";
      if (interest === "work") this.heard += 1;
      this.#remote[interest].add(word === "all" ? undefined : runIdsOf(payload));
    }
  }

  /** Tells others what they have not been told yet: a process that does one thing and ends would be heard of by nobody's but the slow poll. */
  async close(): Promise<void> {
    this.#watchers.clear();
    for (const groups of [this.#local, this.#remote]) {
      groups.work.clear();
      groups.ends.clear();
    }
    this.#outgoing.work.finish();
    this.#outgoing.ends.finish();
    await within(FAREWELL_MAX_MS, Promise.all(this.#sending)).catch(ignore);
  }

  #deliver(runIds: RunIds, interest: Interest | undefined): void {
    for (const watcher of this.#watchers) {
      if (interest === undefined || watcher.interest === undefined || watcher.interest === interest)
        watcher.listener(runIds === undefined ? {} : { runIds });
    }
  }

  #send(interest: Interest, runIds: RunIds): void {
    const { channel } = this.#database;
    const payloads = this.#payloadsOf(runIds);
    // Lossy by nature: whoever misses it polls.
    const sent = this.#database
      .query("SELECT pg_notify($1, p) FROM json_array_elements_text($2::json) p", [
        interest === "work" ? channel : `${channel}_ends`,
        JSON.stringify(payloads),
      ])
      .then(ignore, ignore)
      .finally(() => this.#sending.delete(sent));
    this.#sending.add(sent);
  }

  #payloadsOf(runIds: RunIds): readonly string[] {
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

  #encode(runIds: RunIds): string {
    return encode(this.#self, runIds);
  }
}

function encode(from: string, runIds: RunIds): string {
  return runIds === undefined ? `all ${from}` : `runs ${from} ${JSON.stringify(runIds)}`;
}

function runIdsOf(payload: string): RunIds {
  try {
    return JSON.parse(payload.slice(payload.indexOf("["))) as string[];
  } catch {
    return undefined; // somebody else's: something may have changed
  }
}

/** Lets the first through at once, and what follows within a moment together. */
class Group {
  readonly #ms: number;
  readonly #pass: (runIds: RunIds) => void;
  #runIds: Set<string> | "all" | undefined;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(ms: number, pass: (runIds: RunIds) => void) {
    this.#ms = ms;
    this.#pass = pass;
  }

  add(runIds: RunIds): void {
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

  /** Passes at once what waits. */
  finish(): void {
    const runIds = this.#runIds;
    this.clear();
    if (runIds !== undefined) this.#pass(runIds === "all" ? undefined : [...runIds]);
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
