import { setTimeout as delay } from "node:timers/promises";
import { type Entry, type RunDetails, type Store, StoreUnavailableError } from "@everstep/core";
import type { Mark } from "./ledger-events.ts";

interface Seen {
  readonly entries: string[];
  /** The run's own record, once it has ended. */
  end: string | undefined;
}

/** `unknown`: the store did not answer. */
export type Look = "absent" | "open" | "ended" | "unknown";

const POLL_MS = 20;
const POLL_RUNS = 16;
/** Nobody claims a run for so long although it is due, and nothing is broken any more. */
const OVERDUE_MS = 5_000;

/**
 * Reads journals over and over while everything dies around it. It tells the ledger of every entry it sees, and compares each
 * journal with what it saw before.
 */
export class Watcher {
  readonly #store: Pick<Store, "read">;
  readonly #mark: (marks: readonly Mark[]) => void;
  readonly #seen = new Map<string, Seen>();
  readonly #open = new Set<string>();
  /** Of which nobody was told that they are there. */
  readonly #doubtful = new Set<string>();
  readonly #overdue = new Set<string>();
  readonly #looking = new Map<string, Promise<Look>>();
  readonly problems: string[] = [];
  /** By the store's clock, as of the first look since then. */
  #healedAt: number | "now" | undefined;
  looks = 0;

  constructor(store: Pick<Store, "read">, mark: (marks: readonly Mark[]) => void) {
    this.#store = store;
    this.#mark = mark;
  }

  /** Runs that have not been seen to end. */
  get open(): ReadonlySet<string> {
    return this.#open;
  }

  follow(id: string): void {
    this.#open.add(id);
  }

  /** For a run that may never have been started. A store that does not answer is asked again with the other runs. */
  async forgetIfAbsent(id: string): Promise<void> {
    this.#doubtful.add(id);
    await this.#lookInTurn(id);
  }

  /** From now on nothing is broken. */
  healed(): void {
    this.#healedAt = "now";
  }

  async watch(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await Promise.all([...this.#open].slice(0, POLL_RUNS).map((id) => this.#lookInTurn(id)));
      await delay(POLL_MS);
    }
  }

  /** One after the other for each run: answers that overtake each other would look like a journal that shrinks. */
  look(id: string): Promise<Look> {
    const look = (this.#looking.get(id) ?? Promise.resolve()).then(() => this.#look(id));
    this.#looking.set(id, look);
    const over = (): void => {
      if (this.#looking.get(id) === look) this.#looking.delete(id);
    };
    look.then(over, over);
    return look;
  }

  async #look(id: string): Promise<Look> {
    try {
      const details = await this.#store.read(id);
      this.looks += 1;
      if (details === undefined) return "absent";
      this.#compare(details);
      return details.run.end === null ? "open" : "ended";
    } catch (error) {
      if (error instanceof StoreUnavailableError) return "unknown";
      throw error;
    }
  }

  async #lookInTurn(id: string): Promise<void> {
    // To the end of the row, so that all get their turn.
    this.#open.delete(id);
    this.#open.add(id);
    const look = await this.look(id);
    if (look === "ended" || (look === "absent" && this.#doubtful.has(id))) this.#open.delete(id);
  }

  #compare({ run, journal, now }: RunDetails): void {
    const seen = this.#seen.get(run.id) ?? { entries: [], end: undefined };
    this.#seen.set(run.id, seen);
    const entries = journal.map((entry) => JSON.stringify(entry));
    // I11: what was journaled stays, in its order.
    const changed = seen.entries.findIndex((entry, index) => entries[index] !== entry);
    if (changed !== -1)
      this.problems.push(`I11 ${run.id}: was ${seen.entries[changed]}, is ${entries[changed]}`);
    this.#mark(journal.slice(seen.entries.length).flatMap((entry) => marksOf(run.id, entry)));
    seen.entries.push(...entries.slice(seen.entries.length));
    this.#compareEnd(run, seen);
    this.#compareDue(run, now);
  }

  #compareEnd(run: RunDetails["run"], seen: Seen): void {
    const end = run.end === null ? undefined : JSON.stringify(run);
    // I10: an end is final, but for persons who have the run go back.
    if (seen.end !== undefined && end !== seen.end && run.workflow !== "regret")
      this.problems.push(`I10 ${run.id}: ended as ${seen.end}, is ${end ?? "not ended"}`);
    seen.end = end;
  }

  /** L2: what is due is claimed soon. */
  #compareDue({ id, dueAt, owner }: RunDetails["run"], now: number): void {
    if (this.#healedAt === undefined) return;
    if (this.#healedAt === "now") this.#healedAt = now;
    if (owner !== null || dueAt === null || this.#overdue.has(id)) return;
    const waitedMs = now - Math.max(dueAt, this.#healedAt);
    if (waitedMs <= OVERDUE_MS) return;
    this.#overdue.add(id);
    this.problems.push(`L2 ${id}: is due since ${waitedMs} ms, and nobody claims it`);
  }
}

function marksOf(run: string, { kind, key }: Entry): Mark[] {
  if (kind === "step") return [{ run, step: key }];
  if (kind === "undo") return [{ run, step: `${key}/undo` }];
  return kind === "cancel" || kind === "unwinding" ? [{ run, step: "*" }] : [];
}
