import { setTimeout as delay } from "node:timers/promises";
import type { Entry, RunDetails, Store } from "@everstep/core";
import type { Mark } from "./ledger-events.ts";

interface Seen {
  readonly entries: string[];
  /** The run's own record, once it has ended. */
  end: string | undefined;
}

const POLL_MS = 10;
const POLL_RUNS = 16;

/**
 * Reads journals over and over while everything dies around it. It tells the ledger of every entry it sees, and compares each
 * journal with what it saw before.
 */
export class Watcher {
  readonly #store: Store;
  readonly #mark: (marks: readonly Mark[]) => void;
  readonly #seen = new Map<string, Seen>();
  readonly #open = new Set<string>();
  readonly problems: string[] = [];
  looks = 0;

  constructor(store: Store, mark: (marks: readonly Mark[]) => void) {
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

  /** For a run that may never have been started. */
  async forgetIfAbsent(id: string): Promise<void> {
    if ((await this.look(id)) === undefined) this.#open.delete(id);
  }

  async watch(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await this.#lookAtSome();
      await delay(POLL_MS);
    }
  }

  async look(id: string): Promise<RunDetails | undefined> {
    const details = await this.#store.read(id);
    this.looks += 1;
    if (details !== undefined) this.#compare(details);
    return details;
  }

  async #lookAtSome(): Promise<void> {
    for (const id of [...this.#open].slice(0, POLL_RUNS)) {
      const details = await this.look(id);
      // To the end of the row, so that all get their turn.
      this.#open.delete(id);
      if (details === undefined || details.run.end === null) this.#open.add(id);
    }
  }

  #compare({ run, journal }: RunDetails): void {
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
  }

  #compareEnd(run: RunDetails["run"], seen: Seen): void {
    const end = run.end === null ? undefined : JSON.stringify(run);
    // I10: an end is final.
    if (seen.end !== undefined && end !== seen.end)
      this.problems.push(`I10 ${run.id}: ended as ${seen.end}, is ${end ?? "not ended"}`);
    seen.end = end;
  }
}

function marksOf(run: string, { kind, key }: Entry): Mark[] {
  if (kind === "step") return [{ run, step: key }];
  if (kind === "undo") return [{ run, step: `${key}/undo` }];
  return kind === "cancel" || kind === "unwinding" ? [{ run, step: "*" }] : [];
}
