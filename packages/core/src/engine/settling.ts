/**
 * Settles what needs no body: pivots, timers, signals, children, what is sent out, orders of persons, outcomes that a retry carries over.
 * One at a time, and only when nothing else is to be delivered, so that each follows from what the code has seen before it.
 */
import type { Message, NewEntry, RunRecord } from "../store.ts";
import type { Ask, Asks } from "./asks.ts";
import { Cancels } from "./cancels.ts";
import { Children } from "./children.ts";
import type { EffectiveJournal } from "./effective-journal.ts";
import { entryCodecKey } from "./entry-codec.ts";
import type { Inbox } from "./inbox.ts";
import type { Journal } from "./journal.ts";
import { Outgoing } from "./outgoing.ts";
import type { Unwinding } from "./unwinding.ts";
import type { Values } from "./values.ts";
import { type AcceptSignal, Waits } from "./waits.ts";

interface Parts<H> {
  readonly run: RunRecord;
  readonly effective: EffectiveJournal;
  readonly asks: Asks<H>;
  readonly journal: Journal;
  readonly inbox: Inbox;
  readonly unwinding: Unwinding<H>;
  readonly values: Values;
  readonly accept: AcceptSignal<H>;
}

export class Settling<H> {
  readonly waits: Waits<H>;
  readonly cancels: Cancels;
  readonly #run: RunRecord;
  readonly #journal: Journal;
  readonly #inbox: Inbox;
  readonly #unwinding: Unwinding<H>;
  readonly #outgoing: Outgoing<H>;
  readonly #values: Values;
  #children: Children<H> | undefined;
  /** Outcomes that a person's retry keeps, by key; and the asks that get them, in order. */
  readonly #carried: ReadonlyMap<string, NewEntry>;
  #toCarry: Set<Ask<H>> | undefined;
  /** The number of the order by which a person paused the run while it is executed here. */
  #pausedBy: number | undefined;

  constructor({ run, effective, asks, journal, inbox, unwinding, values, accept }: Parts<H>) {
    this.#run = run;
    this.#journal = journal;
    this.#inbox = inbox;
    this.#unwinding = unwinding;
    this.#carried = effective.carried;
    this.waits = new Waits(run.id, asks, inbox, journal, values, accept);
    this.#values = values;
    this.#outgoing = new Outgoing(journal, values);
    const isCanceled = effective.entries.some(({ kind }) => kind === "cancel");
    this.cancels = new Cancels(inbox, journal, values, isCanceled);
    for (const entry of effective.givenBack.toReversed())
      inbox.giveBack(entryCodecKey(entry), entry.value ?? "", entry.at);
  }

  /** Nothing more begins: a person paused the run while it is executed here. */
  get pausing(): boolean {
    return this.#pausedBy !== undefined;
  }

  /** Most runs have none: nothing is made for those, nor is it for what they don't send or carry over. */
  get children(): Children<H> {
    return (this.#children ??= new Children(this.#run.id, this.#journal, this.#inbox, this.#values));
  }

  /** How many children the run's code still waits for. */
  get openChildren(): number {
    return this.#children?.open ?? 0;
  }

  /** How many children have not ended, as far as the run knows. */
  get pendingChildren(): number {
    return this.#children?.pending ?? 0;
  }

  /** Something is to be sent out, now or once the run is not paused any more. */
  get wantsToSend(): boolean {
    return this.#outgoing.wanting;
  }

  /** Takes an ask that is not for a body; false for all others. */
  asked(ask: Ask<H>): boolean {
    if (ask.kind === "child") this.children.asked(ask);
    if (this.#carried.get(ask.key)?.kind === ask.kind) (this.#toCarry ??= new Set()).add(ask);
    else if (ask.send !== undefined) this.#outgoing.wish(ask);
    else return ask.kind !== "step";
    return true;
  }

  withdrawn(ask: Ask<H>): void {
    this.#toCarry?.delete(ask);
    this.#outgoing.unwish(ask);
    if (ask.kind === "child") this.children.giveUp(ask);
  }

  /** An entry about this ask is delivered. */
  entered(ask: Ask<H>, entry: NewEntry): void {
    this.#outgoing.unwish(ask);
    if (entry.kind === "call") this.children.called(ask, entry.value ?? "", entry.error);
    else if (entry.kind === "drop") this.children.dropped(ask);
    else {
      this.#toCarry?.delete(ask);
      if (entry.kind === "child") this.children.settled(ask);
    }
  }

  /** Queues at most one; false when there is none. `hasTimedOut` closes the run when its time is over. */
  one(now: number, hasTimedOut: (now: number) => boolean): boolean {
    const { closed } = this.#unwinding;
    // What was sent out is not answered yet: nothing but more of that can be queued.
    if (this.#journal.undelivered > 0) return !closed && !this.pausing && this.#outgoing.queueOne(now);
    // Nothing comes between the point of no return and what the code then tells others of it: both are in one commit.
    if (!closed && this.#journal.lastKind === "pivot" && this.#outgoing.queueOne(now)) return true;
    if (this.#takeOperator(now) || this.#takeCancel(closed, now)) return true;
    if (closed) return this.#oneOfClosing(now);
    if (hasTimedOut(now)) return true;
    if (this.#carryOne(now) || this.#children?.settleOne(now) === true) return true;
    return (!this.pausing && this.#outgoing.queueOne(now)) || this.waits.settleOne(now);
  }

  /** The run ends without its code when the first order to cancel it undoes nothing. */
  skipToCancel(): boolean {
    if (this.cancels.firstUndoesNothing !== true) return false;
    this.#journal.skip();
    this.children.cancelRecorded(this.#journal.durableEntries());
    return true;
  }

  /** The same for a run whose code can't be replayed, by any order of the inbox. */
  cancelWithoutCode(now: number): boolean {
    const isCanceled = this.cancels.takeWithoutCode(now);
    if (isCanceled) this.children.cancelRecorded(this.#journal.durableEntries());
    return isCanceled;
  }

  /** Nothing is undone before the end of all children that it waited for. */
  #oneOfClosing(now: number): boolean {
    if (this.#unwinding.begun) return false;
    this.#children?.cancelAll(this.#unwinding.cause?.compensate ?? true);
    return this.#children?.settleOne(now) === true;
  }

  #carryOne(now: number): boolean {
    if (this.#toCarry === undefined) return false;
    for (const ask of this.#toCarry) {
      this.#toCarry.delete(ask);
      const { kind, value } = this.#carried.get(ask.key) ?? { kind: "step" };
      this.#journal.append({ kind, key: ask.key, value }, now);
      return true;
    }
    return false;
  }

  /** What a person did while this worker owned the run becomes an entry, whatever the run is doing. */
  #takeOperator(now: number): boolean {
    const order: Message | undefined = this.#inbox.takeOperator();
    if (order === undefined) return false;
    const kind = order.name === "pause" ? "pause" : "resume";
    const entry = this.#journal.append({ kind, key: order.id, value: order.payload }, now);
    this.#journal.consume(order.no, entry.seq);
    if (kind === "resume") this.#pausedBy = undefined;
    // One that was there when the run was claimed is over: a paused run is not claimed.
    else if (order.no > this.#run.inbox) this.#pausedBy = order.no;
    return true;
  }

  #takeCancel(closed: boolean, now: number): boolean {
    const order = this.cancels.takeOne(closed, now);
    if (order === undefined) return false;
    // It ends a pause, unless somebody paused the run after it.
    if (this.#pausedBy !== undefined && this.#pausedBy < order.no) this.#pausedBy = undefined;
    return true;
  }
}
