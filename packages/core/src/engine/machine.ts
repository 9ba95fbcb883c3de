/**
 * One run as a pure state machine: asks, outcomes, messages and instants go in; deliveries, bodies to begin and writes come out.
 *
 * Owns: the replay rule, the order of everything, what is undone. Does not own: promises, timers, durability, the lease.
 *
 * E1 Delivery order is seq order, live and on replay alike; one settlement per delivery turn.
 * E2 A body begins only when nothing is undelivered, all that was delivered is durable, and no cancel, unwinding or end is queued.
 * E3 An entry whose ask is not open stops the run before any effect.
 * E4 A closed run serves no new ask; what its bodies still do is recorded.
 * E5 The run is let go only when none of its bodies executes.
 * E6 Undos run one by one in reverse order of start, each until it succeeded; one that can't leaves the run stuck after the others.
 */
import type { StuckCode } from "../errors.ts";
import { RunTimeoutError } from "../errors.ts";
import type { Claim, Message, NewEntry, RetryState, RunRecord, StuckNote, WaitNote } from "../store.ts";
import { Asks, type Ask, type AskRequest } from "./asks.ts";
import { type AttemptEnd, Bodies, doubtsOf } from "./bodies.ts";
import type { Conclusion, Next } from "./decisions.ts";
import { isBug } from "./bugs.ts";
import { divergenceText } from "./divergence.ts";
import { Due } from "./due.ts";
import { effectiveJournal } from "./effective-journal.ts";
import { Inbox } from "./inbox.ts";
import { Journal, OPERATOR } from "./journal.ts";
import { Settling } from "./settling.ts";
import { Origins } from "./origins.ts";
import { Undos } from "./undos.ts";
import { type Cause, Unwinding } from "./unwinding.ts";
import type { AcceptSignal } from "./waits.ts";
import type { Values } from "./values.ts";

const QUIET = { do: "quiet" } as const;
/** `lookedAt`: when the store read its messages; infinite when there can be no others. */
type Looked = Claim & { readonly lookedAt?: number };

export class RunMachine<H> {
  readonly run: RunRecord;
  readonly journal: Journal;
  readonly asks: Asks<H>;
  readonly bodies: Bodies<H>;
  readonly undos: Undos<H>;
  readonly origins: Origins;
  readonly #values: Values;
  readonly #inbox: Inbox;
  readonly #unwinding: Unwinding<H>;
  readonly #settling: Settling<H>;
  readonly #due: Due<H>;
  readonly #patches = new Map<string, boolean>();
  readonly #known = new Map<string, RetryState | true>();
  readonly #deadlineAt: number | null;
  #returned: { readonly text: string | undefined } | undefined;
  stuck: StuckNote | undefined;

  /** `accept` makes what is journaled of a signal's payload. */
  constructor(
    claim: Looked,
    values: Values,
    accept: AcceptSignal<H> = (_ask, payload) => ({ value: payload }),
  ) {
    const { run, messages, retries, lookedAt = Number.POSITIVE_INFINITY } = claim;
    const startedAt = run.startedAt ?? run.createdAt;
    this.run = run;
    this.#values = values;
    const effective = effectiveJournal(claim.journal);
    const journal = effective.entries;
    this.asks = new Asks(effective.generations);
    this.journal = new Journal(journal, claim.journal.at(-1), startedAt, run.tags);
    this.origins = new Origins(run.id, journal);
    this.bodies = new Bodies(this.journal, this.asks, values, run);
    this.#inbox = new Inbox(messages, run.inbox, lookedAt, effective.late);
    this.#unwinding = new Unwinding(this.asks, run.id);
    this.undos = new Undos(this.journal, this.bodies, this.#unwinding, this.#known, claim.journal);
    this.#settling = new Settling({
      run,
      effective,
      asks: this.asks,
      journal: this.journal,
      inbox: this.#inbox,
      unwinding: this.#unwinding,
      values,
      accept,
    });
    // A person who sends a run back, or forks it, gives it its time again.
    const from = journal.findLast(({ kind }) => kind === "reset" || kind === "fork")?.at ?? startedAt;
    this.#deadlineAt = run.timeoutMs === null ? null : from + run.timeoutMs;
    this.#due = new Due(this, this.#unwinding, this.#settling, this.#deadlineAt);
    for (const entry of journal) {
      if (entry.kind === "patched") this.#patches.set(entry.key, true);
      else if (entry.kind === "step" || entry.kind === "started") this.#known.set(entry.key, true);
    }
    for (const key of effective.carried.keys()) this.#known.set(key, true);
    for (const row of retries) this.#known.set(row.key, row);
    const last = journal.at(-1);
    if (last?.kind === "resume" && !run.interrupted) this.bodies.resumedAt = last.at;
    for (const doubt of run.interrupted ? doubtsOf(journal, this.#known) : []) {
      this.#known.set(doubt.key, doubt);
      this.journal.keepRetry(doubt);
    }
  }

  // ------------------------------------------------------------------------------------------ the code's asks

  /** The instant that the run's code sees. */
  get nowMs(): number {
    return this.journal.deliveredAt;
  }

  get closed(): boolean {
    return this.#unwinding.closed || this.stuck !== undefined;
  }

  /** What was done is being undone, or will be once no body executes. */
  get closing(): boolean {
    return this.#unwinding.closed;
  }

  get handlerEnded(): boolean {
    return this.#returned !== undefined || this.#unwinding.closed;
  }

  /** True until everything that earlier attempts recorded is delivered. */
  get replaying(): boolean {
    return this.journal.replaying;
  }

  /** Adds an ask, or undefined when the run serves none any more (it is closed, or this misuse makes it stuck). */
  ask(request: AskRequest<H>, inTurn: boolean, now: number): Ask<H> | undefined {
    // A replay may reach a compensation only after its run closed: that one is still wanted.
    if (this.closed && !(this.#unwinding.begun && request.compensates === true)) return undefined;
    const ask = this.asks.add(request, inTurn, (key) => this.#known.get(key) ?? false);
    if ("misuse" in ask) {
      const text = `run ${this.run.id}: ${ask.misuse}. Nothing was run for it; fix the code, deploy, and resume the run.`;
      this.#bug(text, now);
      return undefined;
    }
    if (this.closed) return undefined;
    if (!this.#settling.asked(ask)) this.bodies.wish(ask);
    return ask;
  }

  /** The ask is given up: its promise no longer matters. A body of it that executes is still awaited and recorded. */
  withdraw(ask: Ask<H>): void {
    if (ask.state !== "open") return;
    this.asks.close(ask, "withdrawn");
    this.bodies.unwish(ask);
    this.#settling.withdrawn(ask);
  }

  patched(change: string, now: number): boolean {
    const known = this.#patches.get(change);
    if (known !== undefined) return known;
    const live = !this.journal.replaying && !this.closed;
    this.#patches.set(change, live);
    if (live) this.journal.append({ kind: "patched", key: change }, now);
    return live;
  }

  /** The handler returned: the run completes when every step that it asked for has settled. */
  returned(text: string | undefined): void {
    if (!this.closed) this.#returned = { text };
  }

  /** The handler threw, or its result can't be stored. */
  failed(error: unknown, now: number): void {
    if (this.closed) return;
    if (isBug(error)) {
      const text = `run ${this.run.id}: the handler threw ${error.name}: ${error.message}. That is a bug rather than a failure of the business: nothing was undone. Fix it, deploy, and resume the run.`;
      this.#bug(text, now);
    } else this.#closeFailed(error);
  }

  /** Bodies that still execute are awaited: meanwhile the run is known to be closing. */
  #closeFailed(error: unknown): void {
    this.#unwinding.close({ status: "failed", error: this.#values.errorToText(error, ""), compensate: true });
    if (this.bodies.executing > 0) this.journal.setPhase("closing");
  }

  /** A run that is to be canceled needs its code only for what it registered so far. */
  #bug(message: string, now: number): void {
    if (!this.cancelOrdered) this.stick("BUG", message, now);
  }

  stick(code: StuckCode, message: string, now: number, key?: string): void {
    this.stuck ??= { code, message, at: now, ...(key === undefined ? {} : { key }) };
  }

  // ------------------------------------------------------------------------------------------ delivery

  next(): Next<H> {
    for (;;) {
      const entry = this.journal.peek();
      if (entry === undefined || this.stuck !== undefined) return QUIET;
      if (this.#isMark(entry)) {
        this.journal.markDelivered();
        continue;
      }
      const ask = this.asks.find(entry.key);
      if (ask === undefined || ask.kind !== askKindOf(entry.kind) || ask.state === "settled") {
        return { do: "diverge", entry, final: ask !== undefined || this.handlerEnded };
      }
      this.journal.markDelivered();
      if (this.#settle(ask, entry)) return { do: "deliver", ask, entry };
    }
  }

  /** Entries that settle no promise and need none to be there. */
  #isMark(entry: NewEntry): boolean {
    switch (entry.kind) {
      case "cancel":
        this.#unwinding.cancel(this.#values.fromText(entry.value ?? "{}", "", "cancel"), this.#values);
        return true;
      case "unwinding":
        this.#unwinding.begin(entry.value ?? "{}");
        return true;
      case "undo":
        this.#unwinding.undone(entry.key);
        return true;
      case "patched":
      case "input":
      case "end":
        return true;
      default:
        if (entry.kind === "fork") this.origins.parted();
        return OPERATOR.has(entry.kind);
    }
  }

  /** Records an entry on its ask; true when a promise is to be settled with it. */
  #settle(ask: Ask<H>, entry: NewEntry): boolean {
    if (entry.kind === "started") {
      ask.started = true;
      return false;
    }
    this.#settling.entered(ask, entry);
    if (entry.kind === "call" || entry.kind === "drop") return false;
    if (entry.kind === "step" || entry.kind === "child") this.bodies.settled(ask, entry);
    if (entry.kind === "pivot") this.#unwinding.pivot(ask.index);
    const awaited = ask.state === "open";
    if (!awaited && entry.kind === "signal" && entry.value !== undefined)
      this.#inbox.giveBack(ask.name, entry.value, entry.at);
    if (awaited) this.asks.close(ask, "settled");
    return awaited && !this.#unwinding.closed;
  }

  /** The code did not ask for what the journal continues with, also after it was given the time to. */
  diverged(entry: NewEntry, now: number): void {
    this.stick(
      "DIVERGED",
      divergenceText(this.run.id, entry, this.asks.open, this.handlerEnded),
      now,
      entry.key,
    );
  }

  // ------------------------------------------------------------------------------------------ what is due

  addMessages(messages: readonly Message[], inbox: number, lookedAt: number): void {
    this.#inbox.add(messages, inbox, lookedAt);
  }

  get inbox(): Pick<Inbox, "seen" | "lastNo" | "wanted"> {
    return this.#inbox;
  }

  /** Queues at most one settlement that is due without a body; call it when quiet, until it answers false. */
  settleDue(now: number): boolean {
    return this.stuck === undefined && this.#settling.one(now, this.#hasTimedOut);
  }

  readonly #hasTimedOut = (now: number): boolean => {
    if (this.#deadlineAt === null || now < this.#deadlineAt) return false;
    this.#closeFailed(new RunTimeoutError(this.run.id, this.run.timeoutMs ?? 0));
    return true;
  };

  /** A person paused the run while it is executed here: nothing more is to begin. */
  get pausing(): boolean {
    return this.#settling.pausing;
  }

  /** A cancel is waiting in the inbox or, recorded by an earlier attempt, in the journal. */
  get cancelOrdered(): boolean {
    return this.#settling.cancels.ordered;
  }

  /** A cancel that undoes nothing needs no replay, so it also ends runs whose code can't be replayed. True when there is one. */
  skipToCancel(): boolean {
    return this.run.phase === "forward" && this.#settling.skipToCancel();
  }

  /**
   * Its code can't be replayed, so an older order to cancel and undo can't be carried out. A later one that undoes nothing
   * can: it is the only way out for a run whose code nobody will mend.
   */
  #cancelWithoutCode(now: number): boolean {
    if (this.run.phase !== "forward" || this.#unwinding.closed) return false;
    const isCanceled = this.#settling.cancelWithoutCode(now);
    if (isCanceled) this.stuck = undefined;
    return isCanceled;
  }

  // ------------------------------------------------------------------------------------------ bodies

  /** Queues the `started` entries of steps that need one; call it when quiet, before `begins`. */
  queueStarts(now: number): boolean {
    return !this.closed && this.journal.undelivered === 0 && this.bodies.queueStarts(now);
  }

  /** Steps (or the one undo) whose body may begin now (E2). `unregistered`: the code no longer has this undo. */
  begins(now: number): {
    readonly steps: readonly Ask<H>[];
    readonly undo?: Ask<H>;
    readonly unregistered?: string;
  } {
    const idle = { steps: [] };
    if (this.stuck !== undefined || this.journal.undelivered > 0 || !this.journal.allDurable) return idle;
    if (!this.#unwinding.closed) return { steps: this.bodies.due(now) };
    const undo = this.bodies.executing > 0 ? undefined : this.#unwinding.nextUndo(now, this.undos);
    if (undo === undefined) return idle;
    return typeof undo === "string" ? { steps: [], unregistered: undo } : { steps: [], undo };
  }

  /** A step's attempt is over: its outcome is queued, or its next attempt is. */
  stepEnded(ask: Ask<H>, end: AttemptEnd, now: number): void {
    const verdict = this.bodies.ended(ask, end, now, this.closed);
    if (verdict !== undefined) this.stick(verdict.code, verdict.message, now, ask.key);
  }

  /** Steps that may have begun and whose outcome is not durable. */
  doubts(): readonly RetryState[] {
    return doubtsOf(this.journal.durableEntries(), this.#known);
  }

  /** A step whose entry was committed together with the caller's SQL. */
  stepTransacted(ask: Ask<H>, entry: NewEntry): void {
    this.bodies.over(ask);
    this.journal.appendCommitted(entry);
  }

  // ------------------------------------------------------------------------------------------ letting go

  /** What the run comes to once all is delivered and no body executes; `"queued"`: entries were queued, call `next` again. */
  conclude(now: number): Conclusion | "queued" | undefined {
    if (this.bodies.executing > 0) return undefined;
    if (this.stuck !== undefined)
      return this.#cancelWithoutCode(now) ? "queued" : { do: "stick", stuck: this.stuck };
    if (this.journal.undelivered > 0) return undefined;
    const cause = this.#unwinding.cause;
    if (cause !== undefined) return this.#concludeClosed(cause, now);
    const { openChildren, wantsToSend } = this.#settling;
    if (this.#returned === undefined || this.bodies.idle + openChildren > 0 || wantsToSend) return undefined;
    this.journal.append({ kind: "end", key: "completed" }, now);
    this.journal.markDelivered();
    return { do: "end", status: "completed", result: this.#returned.text };
  }

  #concludeClosed(cause: Cause, now: number): Conclusion | "queued" | undefined {
    if (!this.#unwinding.begun) {
      if (this.#settling.pendingChildren > 0 && cause.compensate) return undefined;
      const keys = cause.compensate ? this.#unwinding.keys(this.bodies) : [];
      if (keys.length > 0) {
        this.journal.append(
          { kind: "unwinding", key: cause.status, value: JSON.stringify({ cause, keys }) },
          now,
        );
        this.journal.setPhase("compensating");
        return "queued";
      }
    }
    if (this.#unwinding.remaining > 0) return undefined;
    const failed = this.#unwinding.failures();
    if (failed !== undefined) {
      const message = `run ${this.run.id}: the compensation of ${failed} did not succeed; all others are done. Mend the cause and resume the run.`;
      return { do: "stick", stuck: { code: "UNDO_FAILED", message, at: now } };
    }
    this.journal.append({ kind: "end", key: cause.status }, now);
    this.journal.markDelivered();
    return { do: "end", status: cause.status, error: cause.error };
  }

  /** When the next of what the run waits for is due, whatever executes meanwhile; null when nothing is by itself. */
  nextDueAt(now: number): number | null {
    return this.stuck === undefined ? this.#due.nextAt(now) : null;
  }

  /** What the run waits for when nothing executes and every ask waits; undefined when something is still to be done here. */
  waiting(now: number): { readonly dueAt: number | null; readonly waits: readonly WaitNote[] } | undefined {
    const isIdle = this.journal.undelivered === 0 && this.bodies.executing === 0 && !this.#inbox.wanted;
    if (!isIdle || this.stuck !== undefined) return undefined;
    return this.#due.justWaits(now) ? { dueAt: this.nextDueAt(now), waits: this.#due.notes() } : undefined;
  }
}

/** What kind of ask an entry is about. */
function askKindOf(kind: NewEntry["kind"]): NewEntry["kind"] {
  if (kind === "started") return "step";
  return kind === "call" || kind === "drop" ? "child" : kind;
}
