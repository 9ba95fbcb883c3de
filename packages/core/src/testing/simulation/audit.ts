/**
 * Watches what goes through to the store, and notes at once when an invariant is broken:
 * I3 one settlement per key, until a person has it done again · I9 attempts only grow, and only the present one writes · I10 an end is final · I11 the journal is only
 * appended to, without gaps. The numbers are those of docs/guarantees.md.
 */
import { isDeepStrictEqual } from "node:util";
import { effectiveJournal } from "../../engine/effective-journal.ts";
import { OPERATOR } from "../../engine/journal.ts";
import type {
  AdvanceWrite,
  Batch,
  Claim,
  ClaimResult,
  Entry,
  NewEntry,
  Outcome,
  Store,
  WaitNote,
  Write,
} from "../../store.ts";

type Refused = readonly { readonly seq: number; readonly reason: string }[];

/** Of each key one, unless a reset has superseded it. */
const ONCE: ReadonlySet<Entry["kind"]> = new Set([
  "step",
  "timer",
  "signal",
  "child",
  "pivot",
  "undo",
  "call",
  "drop",
  "start",
  "emit",
  "send",
]);

/** What is known of one run from the outside. */
export class RunAudit {
  readonly id: string;
  readonly journal: Entry[] = [];
  /** Kinds and keys whose settlement is durable and counts: `step charge`, `undo charge`. */
  readonly settled: Set<string> = new Set();
  /** Failed attempts that are stored of each step that has not settled; of an undo under `<key>#undo`. */
  readonly failures: Map<string, number> = new Map();
  attempt = 0;
  end: string | null = null;
  stuck: { readonly code: string; readonly message: string } | null = null;
  waits: readonly WaitNote[] = [];
  /** When it is due, while it is parked; null when only a message can move it. */
  parkedUntil: number | null | undefined;
  /** The decision to undo is durable. */
  unwinding = false;
  readonly #report: (problem: string) => void;

  constructor(id: string, report: (problem: string) => void) {
    this.id = id;
    this.#report = report;
  }

  born(): void {
    this.attempt = 1;
  }

  claimed({ run, journal }: Claim): void {
    if (run.attempt <= this.attempt)
      this.problem(`I9: claimed under attempt ${run.attempt} after ${this.attempt}`);
    this.compare(journal);
    if (this.end !== null) this.problem(`I10: was claimed although it is ${this.end}`);
    this.attempt = run.attempt;
    this.stuck = null;
    this.waits = [];
    this.parkedUntil = undefined;
  }

  advanced(
    { attempt, entries, retries, settled, then }: AdvanceWrite,
    outcome: Outcome,
    refused: Refused,
  ): void {
    if (outcome.is !== "done" && outcome.is !== "inbox-changed") return;
    if (attempt !== this.attempt)
      this.problem(`I9: attempt ${attempt} wrote after ${this.attempt} had begun`);
    const reasons = new Map(refused.map(({ seq, reason }) => [seq, reason]));
    for (const entry of entries) {
      const error = reasons.get(entry.seq);
      this.appended(error === undefined ? entry : { ...entry, error }, attempt);
    }
    for (const { key, failures } of retries ?? []) this.failures.set(key, failures);
    for (const key of settled ?? []) this.failures.delete(key);
    if (then === undefined || outcome.is !== "done") return;
    if (then.do === "end") this.end = then.status;
    if (then.do === "stick") this.stuck = { code: then.stuck.code, message: then.stuck.message };
    if (then.do === "park") [this.waits, this.parkedUntil] = [then.waits, then.dueAt];
  }

  appended(entry: NewEntry, attempt: number): void {
    if (this.end !== null) this.problem(`I10: entry ${entry.seq} came after the end`);
    if (entry.seq !== this.journal.length + 1)
      this.problem(`I11: entry ${entry.seq} came after entry ${this.journal.length}`);
    if (entry.at < (this.journal.at(-1)?.at ?? 0))
      this.problem(`I11: the time of entry ${entry.seq} goes back`);
    this.#note(entry);
    this.journal.push(storedForm(entry, attempt));
  }

  problem(what: string): void {
    this.#report(`run ${this.id}: ${what}`);
  }

  /** What a person did is written by the store itself, and seen here when the run is claimed next, or looked at in the end. */
  compare(journal: readonly Entry[]): void {
    const isForked = this.journal.length === 0 && journal.some(({ kind }) => kind === "fork");
    let isByPerson = isForked;
    for (const [index, entry] of journal.entries()) {
      const known = this.journal[index];
      isByPerson ||= known === undefined && OPERATOR.has(entry.kind);
      if (known === undefined && isByPerson) this.#learn(entry);
      else if (!isDeepStrictEqual(known, entry))
        this.problem(`I11: entry ${entry.seq} is not what was written: ${JSON.stringify(entry)}`);
    }
    if (this.journal.length > journal.length)
      this.problem(`I11: ${this.journal.length} entries were written, and ${journal.length} are there`);
  }

  #learn(entry: Entry): void {
    this.journal.push(entry);
    if (entry.kind === "reset") this.#beginAnew();
    else this.#note(entry);
  }

  /** From now on only what the reset has left counts. */
  #beginAnew(): void {
    const { entries } = effectiveJournal(this.journal);
    this.settled.clear();
    this.unwinding = false;
    this.end = null;
    this.stuck = null;
    for (const entry of entries) this.#note(entry);
  }

  #note({ kind, key }: NewEntry): void {
    if (kind === "unwinding") this.unwinding = true;
    if (!ONCE.has(kind)) return;
    const what = `${kind} ${key}`;
    if (this.settled.has(what)) this.problem(`I3: ${what} was settled twice`);
    this.settled.add(what);
  }
}

/** A store gives back no field that says nothing. */
function storedForm({ value, error, ...said }: NewEntry, attempt: number): Entry {
  return {
    ...said,
    attempt,
    ...(value === undefined ? {} : { value }),
    ...(error === undefined ? {} : { error }),
  };
}

export class Audit {
  readonly runs: Map<string, RunAudit> = new Map();
  readonly problems: string[] = [];
  /** Writes with entries: grows as long as something is achieved. */
  progress = 0;
  /** Of each worker: a batch that is sent again changes nothing. */
  readonly #lastBatch = new Map<number, number>();

  run(id: string): RunAudit {
    const known = this.runs.get(id);
    if (known !== undefined) return known;
    const run = new RunAudit(id, (problem) => this.problems.push(problem));
    this.runs.set(id, run);
    return run;
  }

  /** The same store, watched. */
  watched<Tx>(store: Store<Tx>): Store<Tx> {
    return {
      commit: async (batch) => {
        const outcomes = await store.commit(batch);
        this.#committed(batch, outcomes);
        return outcomes;
      },
      transact: async ({ settle, ...request }) => {
        let entry: NewEntry | undefined;
        const answer = await store.transact({
          ...request,
          settle: (value) => {
            const settlement = settle(value);
            ({ entry } = settlement);
            return settlement;
          },
        });
        if (answer.is === "done" && entry !== undefined)
          this.run(request.runId).appended(entry, request.attempt);
        return answer;
      },
      claim: async (request) => this.#claimed(await store.claim(request)),
      join: (request) => store.join(request),
      renew: (lease) => store.renew(lease),
      read: (id) => store.read(id),
      list: (filter, page) => store.list(filter, page),
      count: (filter) => store.count(filter),
      workflows: () => store.workflows(),
      workers: () => store.workers(),
      figures: (span) => store.figures(span),
      examine: () => store.examine(),
      events: (filter) => store.events(filter),
      takeOutbox: (request) => store.takeOutbox(request),
      watch: (listener, interest) => store.watch(listener, interest),
      close: () => store.close(),
    };
  }

  #committed<Tx>({ writes, lease }: Batch<Tx>, outcomes: readonly Outcome[]): void {
    if (lease !== undefined) {
      if ((this.#lastBatch.get(lease.worker) ?? 0) >= lease.batch) return;
      this.#lastBatch.set(lease.worker, lease.batch);
    }
    for (const [index, write] of writes.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) this.#written(write, outcome);
    }
  }

  #written(write: Write, outcome: Outcome): void {
    if (write.kind === "start" && outcome.is === "created") {
      const run = this.run(write.run.id);
      if (outcome.claimed) run.born();
    }
    if (write.kind !== "advance") return;
    if (write.entries.length > 0) this.progress += 1;
    const refused = "refused" in outcome ? outcome.refused : [];
    this.run(write.runId).advanced(write, outcome, refused);
    if (outcome.is === "done") this.#sent(write, new Set(refused.map(({ seq }) => seq)));
  }

  /** Runs that were started by others are to end as well. Those that an event started are found when they are claimed. */
  #sent({ sends = [] }: AdvanceWrite, refused: ReadonlySet<number | null>): void {
    for (const send of sends) if (send.kind === "start" && !refused.has(send.seq)) this.run(send.run.id);
  }

  #claimed(result: ClaimResult): ClaimResult {
    for (const claim of result.claims) this.run(claim.run.id).claimed(claim);
    return result;
  }
}
