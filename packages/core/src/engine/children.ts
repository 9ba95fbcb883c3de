/**
 * The children that the run waits for: which were started, what they came to, and what becomes of them when the run closes or gives one up.
 * A child that failed or was canceled has undone itself; its parent undoes what is its own only after the end of all of them.
 */
import { ChildFailedError, RunConflictError } from "../errors.ts";
import type { ChildEnd, Message, NewEntry, WaitNote } from "../store.ts";
import type { Ask } from "./asks.ts";
import type { Inbox } from "./inbox.ts";
import type { Draft, Journal } from "./journal.ts";
import type { Values } from "./values.ts";

interface Child {
  readonly id: string;
  /** Told to be canceled, by this attempt or by an entry. */
  canceled: boolean;
  /** The store did not start it: why. */
  readonly refusal: string | undefined;
}

export class Children<H> {
  readonly #runId: string;
  readonly #journal: Journal;
  readonly #inbox: Inbox;
  readonly #values: Values;
  /** Started, and not settled. */
  readonly #started = new Map<Ask<H>, Child>();
  readonly #byKey = new Map<string, Ask<H>>();
  /** Asked for and not settled, nor given up. */
  readonly #open = new Set<Ask<H>>();
  readonly #refused = new Set<Ask<H>>();
  readonly #givenUp = new Set<Ask<H>>();

  constructor(runId: string, journal: Journal, inbox: Inbox, values: Values) {
    this.#runId = runId;
    this.#journal = journal;
    this.#inbox = inbox;
    this.#values = values;
  }

  /** How many of them the run's code still waits for. */
  get open(): number {
    return this.#open.size;
  }

  /** Of a closed run: those whose end is awaited before anything is undone, those that were given up included: they may have completed. */
  get pending(): number {
    return this.#started.size;
  }

  asked(ask: Ask<H>): void {
    this.#open.add(ask);
    this.#byKey.set(ask.key, ask);
  }

  /** Its `call` entry: what the store made of it. */
  called(ask: Ask<H>, value: string, refusal: string | undefined): void {
    this.#started.set(ask, { id: this.#idIn(ask.key, value), canceled: false, refusal });
    if (refusal !== undefined) this.#refused.add(ask);
    else {
      ask.started = true;
      // It was given up while it was on its way.
      if (ask.state === "withdrawn") this.#givenUp.add(ask);
    }
  }

  /** Its `child` entry. */
  settled(ask: Ask<H>): void {
    this.#open.delete(ask);
    this.#started.delete(ask);
    this.#givenUp.delete(ask);
    this.#refused.delete(ask);
  }

  /** The code waits for it no longer, and it was started: it is to be canceled. */
  giveUp(ask: Ask<H>): void {
    this.#open.delete(ask);
    if (this.#started.has(ask)) this.#givenUp.add(ask);
  }

  /** Its `drop` entry: the order to cancel it is on its way. */
  dropped(ask: Ask<H>): void {
    this.#givenUp.delete(ask);
    const child = this.#started.get(ask);
    if (child !== undefined) child.canceled = true;
  }

  /** Queues the end of one child that is known, or the order to cancel one that was given up. */
  settleOne(now: number): boolean {
    for (const ask of this.#refused) return this.#settleRefused(ask, now);
    for (const ask of this.#givenUp) {
      this.#givenUp.delete(ask);
      this.#journal.append({ kind: "drop", key: ask.key }, now);
      this.#orderCancel(ask, true);
      return true;
    }
    return this.#settleEnded(now);
  }

  /** The run closes: all that it waits for are told so. */
  cancelAll(compensate: boolean): void {
    for (const [ask, child] of this.#started)
      if (ask.state === "open" && !child.canceled && child.refusal === undefined)
        this.#orderCancel(ask, compensate);
  }

  /** A run that ends without its code: what its journal says it called and has not heard of is told so. */
  cancelRecorded(journal: readonly NewEntry[]): void {
    const over = new Set(
      journal.filter(({ kind }) => kind === "child" || kind === "drop").map(({ key }) => key),
    );
    for (const { kind, key, value = "", error } of journal)
      if (kind === "call" && error === undefined && !over.has(key)) this.#tryCancel(key, value);
  }

  #tryCancel(key: string, value: string): void {
    try {
      this.#sendCancel(key, this.#idIn(key, value), false);
    } catch {
      // What can't be decoded must not keep the run from its end.
    }
  }

  #idIn(key: string, value: string): string {
    return String(this.#values.fromText(value, key, `the id of child ${key}`));
  }

  notes(max: number): WaitNote[] {
    return [...this.#started.keys()].slice(0, max).map(({ key }) => ({ kind: "child", key, until: null }));
  }

  #settleRefused(ask: Ask<H>, now: number): boolean {
    this.#refused.delete(ask);
    const child = this.#started.get(ask);
    const error = refusedCall(ask.name, child?.id ?? "", child?.refusal ?? "");
    this.#journal.append(
      { kind: "child", key: ask.key, error: this.#values.errorToText(error, ask.key) },
      now,
    );
    return true;
  }

  /** Also of a child that was given up meanwhile: its entry is delivered to nobody. */
  #settleEnded(now: number): boolean {
    for (const message of this.#inbox.children()) {
      const ask = this.#byKey.get(message.name);
      const child = ask === undefined ? undefined : this.#started.get(ask);
      if (ask === undefined || child?.id !== message.id) continue;
      this.#inbox.tookChild(message);
      const entry = this.#journal.append(
        { kind: "child", key: ask.key, ...this.#outcomeOf(ask, message) },
        now,
      );
      this.#journal.consume(message.no, entry.seq);
      // Its entry is queued: it is not to be looked for again.
      this.#started.delete(ask);
      return true;
    }
    return false;
  }

  /** Encoded for this run: the child's own text is bound to the child. */
  #outcomeOf({ key }: Ask<H>, { id, payload }: Message): Pick<Draft, "value" | "error"> {
    const { status, result, error } = JSON.parse(payload) as ChildEnd;
    const theirs = this.#values.of(id);
    if (status !== "completed") {
      const cause =
        error === undefined ? undefined : theirs.errorFromText(error, "", `the error of child ${id}`);
      const failure = new ChildFailedError({ runId: id, call: key, status }, cause);
      return { error: this.#values.errorToText(failure, key) };
    }
    if (result === undefined) return {};
    const value = theirs.fromText(result, "", `the result of child ${id}`);
    return { value: this.#values.toText(value, key, `the result of child ${id}`) };
  }

  #orderCancel(ask: Ask<H>, compensate: boolean): void {
    const child = this.#started.get(ask);
    if (child === undefined) return;
    child.canceled = true;
    this.#sendCancel(ask.key, child.id, compensate);
  }

  /** Asked for again by a later attempt: the child knows the order by its id. */
  #sendCancel(key: string, childId: string, compensate: boolean): void {
    const order = { compensate, reason: `run ${this.#runId}, which called it, waits for it no longer` };
    const payload = this.#values.of(childId).toText(order, "", "the order to cancel it");
    const message = { type: "cancel", id: `${this.#runId}/${key}`, name: "", payload } as const;
    this.#journal.send({ kind: "message", seq: null, runId: childId, message });
  }
}

const WAS_PURGED =
  "it was purged, and what it came to is forgotten; its id stays taken for 90 days: choose another id";

function refusedCall(name: string, id: string, refusal: string): Error {
  const [why = "", ...rest] = refusal.split(" ");
  if (why === "conflict") return new RunConflictError(id, rest.join(" "));
  if (why === "not-found") return new RunConflictError(id, name, WAS_PURGED);
  return new Error(`child ${id} was not started: ${refusal}`);
}
