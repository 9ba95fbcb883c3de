/**
 * What still counts of a journal. Nothing is ever deleted from one: a person's `reset` supersedes the entries between the one that it goes
 * back to and itself. What was superseded may be carried over (a retry), or is done again under new identities (a rewind).
 */
import type { NewEntry } from "../store.ts";
import { entryCodecKey } from "./entry-codec.ts";

/** What a `reset` entry says, beside who did it and why. */
interface ResetNote {
  readonly operation: "retry" | "rewind";
  /** The last entry that still counts; 0: none does. */
  readonly to: number;
  /** What succeeded and was not undone keeps its outcome when the code asks for it again. */
  readonly carry: boolean;
  /** Done again although they succeeded. */
  readonly again?: readonly string[];
  /** Messages with an order to cancel that came too late for the end that is superseded: they are not obeyed now. */
  readonly late?: readonly number[];
}

export interface EffectiveJournal {
  /** Those that count, in order. Their seqs have holes where others were superseded. */
  readonly entries: readonly NewEntry[];
  /** Outcomes to be used again, by key. */
  readonly carried: ReadonlyMap<string, NewEntry>;
  /** How often the known outcome of this key was superseded: what is done for it again is something new. */
  readonly generations: ReadonlyMap<string, number>;
  /** Signals that superseded waits had taken and no other one since, in order: their run has them again. */
  readonly givenBack: readonly NewEntry[];
  /** Numbers of messages that are not obeyed. */
  readonly late: ReadonlySet<number>;
}

/** Outcomes that can be carried over, or whose repetition is something new. */
const OUTCOMES: ReadonlySet<NewEntry["kind"]> = new Set([
  "step",
  "timer",
  "signal",
  "child",
  "pivot",
  "start",
  "emit",
  "send",
]);

/** Shared by all runs that nobody has sent back. */
const NOTHING_RESET: Omit<EffectiveJournal, "entries"> = {
  carried: new Map(),
  generations: new Map(),
  givenBack: [],
  late: new Set(),
};

/** What the code was told of a change of itself stays true: entries that still count may follow from it. */
export function staysAfter({ seq, kind }: NewEntry, to: number): boolean {
  return seq <= to || kind === "patched";
}

/** From the first of these on, the run serves its code no more, and children that it has not heard of are told to be canceled. */
export const CLOSING: ReadonlySet<NewEntry["kind"]> = new Set(["cancel", "unwinding", "end"]);

export function effectiveJournal(journal: readonly NewEntry[]): EffectiveJournal {
  if (!journal.some(({ kind }) => kind === "reset")) return { entries: journal, ...NOTHING_RESET };
  const carried = new Map<string, NewEntry>();
  const generations = new Map<string, number>();
  const late = new Set<number>();
  let givenBack: NewEntry[] = [];
  let entries: NewEntry[] = [];
  for (const entry of journal) {
    if (entry.kind === "reset") {
      const note = JSON.parse(entry.value ?? "{}") as ResetNote;
      for (const no of note.late ?? []) late.add(no);
      const superseded = entries.filter(({ seq }) => seq > note.to);
      entries = entries.filter((old) => staysAfter(old, note.to));
      const undone = undoneIn(superseded);
      const taken: NewEntry[] = [];
      for (const old of superseded) {
        if (!OUTCOMES.has(old.kind)) continue;
        const isKept =
          old.error === undefined && !undone.has(old.key) && note.again?.includes(old.key) !== true;
        if (note.carry && isKept) carried.set(old.key, old);
        else {
          carried.delete(old.key);
          generations.set(old.key, (generations.get(old.key) ?? 0) + 1);
          if (isTaken(old)) taken.push(old);
        }
      }
      for (const key of [...abandonedIn(superseded, note), ...undoneUnknown(superseded, undone)])
        generations.set(key, (generations.get(key) ?? 0) + 1);
      givenBack = [...taken, ...givenBack];
    } else {
      carried.delete(entry.key);
      if (isTaken(entry)) givenBack = withoutFirst(givenBack, entryCodecKey(entry));
    }
    entries.push(entry);
  }
  return { entries, carried, generations, givenBack, late };
}

function isTaken({ kind, value }: NewEntry): boolean {
  return kind === "signal" && value !== undefined;
}

/** The head of the run's buffer is taken first. */
function withoutFirst(signals: NewEntry[], name: string): NewEntry[] {
  const index = signals.findIndex((signal) => entryCodecKey(signal) === name);
  return index === -1 ? signals : signals.toSpliced(index, 1);
}

/** Calls that were not heard of, and told to be canceled: whoever called again under the same id would get just that. A rewind cancels them all. */
function abandonedIn(entries: readonly NewEntry[], { carry }: ResetNote): readonly string[] {
  const isClosed = entries.some(({ kind }) => CLOSING.has(kind));
  const dropped = new Set(entries.filter(({ kind }) => kind === "drop").map(({ key }) => key));
  return unheardIn(entries)
    .filter(({ key }) => isClosed || !carry || dropped.has(key))
    .map(({ key }) => key);
}

/** Calls whose child was started, and of whose end nothing is known. */
export function unheardIn(entries: readonly NewEntry[]): readonly NewEntry[] {
  const heard = new Set(entries.filter(({ kind }) => kind === "child").map(({ key }) => key));
  return entries.filter(({ kind, key, error }) => kind === "call" && error === undefined && !heard.has(key));
}

/** What was undone although nobody knew what had come of it, and what `ctx.compensate` undid: doing it again is something new as well. */
function undoneUnknown(entries: readonly NewEntry[], undone: ReadonlySet<string>): readonly string[] {
  const known = new Set(entries.filter(({ kind }) => OUTCOMES.has(kind)).map(({ key }) => key));
  return [...undone].filter((key) => !known.has(key));
}

/** Keys whose effect was taken back. */
function undoneIn(entries: readonly NewEntry[]): ReadonlySet<string> {
  return new Set(entries.filter(({ kind }) => kind === "undo").map(({ key }) => key));
}
