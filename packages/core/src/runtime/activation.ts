/**
 * One attempt of one run: where its code's promises meet the engine.
 *
 * Owns: delivery turns, running bodies, writing what the engine queued, letting go. Does not own: any rule of replay or
 * undoing (engine/machine.ts), the lease, claims (worker.ts).
 */
import { DecodingError, StoreUnavailableError } from "../errors.ts";
import type { Ask, AskRequest } from "../engine/asks.ts";
import type { Conclusion } from "../engine/decisions.ts";
import { readable } from "../engine/error-data.ts";
import { RunMachine } from "../engine/machine.ts";
import { type Values, valuesOf } from "../engine/values.ts";
import type { Claim, Message, NewEntry, Outcome, Then } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { BodyRunner } from "./body-runner.ts";
import { DueTimer } from "./due-timer.ts";
import type { AskHandle } from "./handle.ts";
import { runHandler } from "./handler.ts";
import type { Host, LetGo } from "./host.ts";
import { Linger } from "./linger.ts";
import { toLog } from "./log.ts";
import { refusalOf } from "./refusal.ts";
import { isPoison, poisonText, SUSPECT_STRIKES, SUSPECT_WAIT_MAX_MS } from "./suspects.ts";
import { settleWith } from "./settlement.ts";
import { acceptSignal } from "./signals.ts";
import { type Solitary, Solitude } from "./solitude.ts";
import { Turns } from "./turns.ts";

/** How long the code's own awaits may take before a journal entry without an ask is a divergence. */
const OWN_AWAITS_MS = 1000;
export class Activation {
  readonly host: Host;
  readonly machine: RunMachine<AskHandle>;
  readonly values: Values;
  readonly workflow: Workflow;
  readonly linger: Linger;
  readonly runId: string;
  readonly #runner: BodyRunner;
  readonly #turns: Turns;
  readonly #dueTimer: DueTimer;
  #over = false;
  #pumping = false;
  #lettingGo = false;
  #draining = false;
  #started = false;
  #turnedAway = false;
  readonly #solitude: Solitude;
  #refusal: string | undefined;
  #strikes: number;
  #cancelPatience: (() => void) | undefined;
  #impatientFor: number | string | undefined;

  constructor(host: Host, claim: Claim & { readonly lookedAt?: number }, definition: Workflow) {
    this.host = host;
    this.runId = claim.run.id;
    this.workflow = definition;
    this.values = valuesOf(claim.run.id, host.codec);
    this.machine = new RunMachine(claim, this.values, (ask, payload) => acceptSignal(this, ask, payload));
    this.#runner = new BodyRunner(this);
    this.#turns = new Turns(host.clock, (mayDeliver) => this.#pump(mayDeliver));
    this.#dueTimer = new DueTimer(host.clock, () => this.wake());
    this.#strikes = claim.run.strikes;
    this.linger = new Linger(host, this.machine.journal, () => this.wake());
    this.linger.heard(claim.messages);
    this.#solitude = new Solitude(this, host);
  }

  get over(): boolean {
    return this.#over;
  }

  get lettingGo(): boolean {
    return this.#lettingGo;
  }

  get attempt(): number {
    return this.machine.run.attempt;
  }

  /** Bodies of it that live in this process, those included that were given up. */
  get livingBodies(): number {
    return this.#runner.living;
  }

  begin(): void {
    const { run } = this.machine;
    const ends = this.#guard(() => this.machine.skipToCancel());
    // Undefined: the order itself can't be decoded, and the run is stuck already.
    if (ends !== false) {
      this.#started = true;
      this.#turns.wake();
    } else if (isPoison(run, this.machine.cancelOrdered)) {
      this.machine.stick("POISON", poisonText(run), this.host.now());
      this.#started = true;
      this.#turns.wake();
    } else if (this.#strikes < SUSPECT_STRIKES) this.#turns.run(() => this.#startHandler());
    else if (!this.#solitude.enter(this.#suspected)) this.#comeBackLater();
  }

  #comeBackLater(): void {
    this.#turnedAway = true;
    const dueAt = this.host.now() + this.host.clock.random() * SUSPECT_WAIT_MAX_MS;
    this.#letGo({ do: "park", dueAt, inbox: this.machine.inbox.seen, waits: [] }, { how: "parked", dueAt });
  }

  readonly #suspected: Solitary = {
    begin: (alone) => {
      const start = (): void => this.#turns.run(() => this.#startHandler());
      // Durably marked as alone first: only a death in that state counts against this run for good.
      if (alone) this.#submit({ alone: true }, start);
      else start();
    },
    enough: () => this.#submit({ alone: false }, () => this.#solitude.leave()),
  };

  #startHandler(): void {
    if (this.#over || this.#lettingGo) return;
    this.#started = true;
    this.#guard(() => runHandler(this));
  }

  // ------------------------------------------------------------------------------------------ the code's asks

  /** An ask of the run's code; undefined when it will never settle. */
  ask(request: AskRequest<AskHandle>): Ask<AskHandle> | undefined {
    if (this.#over) return undefined;
    const ask = this.machine.ask(request, this.#turns.inTurn, this.host.now());
    if (!this.#turns.inTurn) this.wake();
    return ask;
  }

  withdraw(ask: Ask<AskHandle>): void {
    if (this.#over) return;
    this.machine.withdraw(ask);
    this.#runner.abort(ask, "the ask was withdrawn");
    if (!this.#turns.inTurn) this.wake();
  }

  /** Something changed outside a turn: look what there is to do. */
  wake(): void {
    if (!this.#turns.inTurn) this.#turns.wake();
  }

  /** Something of this run became durable, free or due: bodies may begin at once. */
  pumpNow(): void {
    if (!this.#turns.prepared) this.#pump(false);
  }

  addMessages(messages: readonly Message[], inbox: number, lookedAt: number): void {
    if (this.#over) return;
    this.machine.addMessages(messages, inbox, lookedAt);
    this.linger.heard(messages);
    if (this.#turnedAway) this.#comeBackLater();
    else this.wake();
  }

  // ------------------------------------------------------------------------------------------ what there is to do

  /** Does all there is to do. Resolves a promise only where a turn was prepared for it. */
  #pump(mayDeliver: boolean): void {
    if (!this.#started || this.#over || this.#lettingGo || this.#pumping || this.#runner.holding) return;
    this.#pumping = true;
    try {
      this.#guard(() => this.#work(mayDeliver));
    } finally {
      this.#pumping = false;
    }
  }

  get #beginsNothing(): boolean {
    return this.#draining || this.machine.pausing;
  }

  #work(mayDeliver: boolean): void {
    const now = this.host.now();
    for (;;) {
      const next = this.machine.next();
      if (next.do === "deliver") {
        if (mayDeliver) this.#deliver(next.ask, next.entry);
        else this.#redeliver(next.ask, next.entry);
        return;
      }
      if (next.do === "diverge") {
        if (!this.#lostPatience(next.entry.seq, next.final)) return;
        this.machine.diverged(next.entry, now);
        continue;
      }
      if (this.machine.settleDue(now)) continue;
      if (this.machine.closing) this.#runner.abortSteps("the run is being undone", this.host.abortGraceMs);
      if (!this.#beginsNothing && this.machine.queueStarts(now)) continue;
      const conclusion = this.machine.conclude(now);
      if (conclusion === "queued") continue;
      if (conclusion !== undefined) this.#conclude(conclusion);
      else this.#goOn(now);
      return;
    }
  }

  #deliver(ask: Ask<AskHandle>, entry: NewEntry): void {
    if (this.#over) return;
    this.#cancelPatience?.();
    this.#turns.enter();
    settleWith(ask, entry, this.values);
  }

  /** A delivery that came up in the second macrotask of a turn gets a turn of its own. */
  #redeliver(ask: Ask<AskHandle>, entry: NewEntry): void {
    this.#turns.run(() => this.#guard(() => this.#deliver(ask, entry)));
  }

  /** The code may be awaiting something of its own before it asks; a second is enough for that. */
  #lostPatience(key: number | string, final: boolean): boolean {
    if (final) return true;
    if (this.#impatientFor === key) return this.#cancelPatience === undefined;
    this.#cancelPatience?.();
    this.#impatientFor = key;
    this.#cancelPatience = this.host.clock.after(OWN_AWAITS_MS, () => {
      this.#cancelPatience = undefined;
      this.wake();
    });
    return false;
  }

  /** Text that can't be decoded makes the run stuck: nothing is run again because of it. */
  #guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (this.machine.stuck !== undefined) {
        this.storeLost(error);
        return undefined;
      }
      const [code, text] =
        error instanceof DecodingError
          ? (["UNDECODABLE", ""] as const)
          : (["BUG", "everstep itself failed: "] as const);
      this.machine.stick(code, `run ${this.runId}: ${text}${String(error)}`, this.host.now());
      this.#turns.wake();
      return undefined;
    }
  }

  // ------------------------------------------------------------------------------------------ bodies and writes

  #goOn(now: number): void {
    const { steps, undo, unregistered } =
      this.#beginsNothing || !this.host.mayBegin() || !this.host.gate.mayBegin(this)
        ? { steps: [] }
        : this.machine.begins(now);
    const cleared = this.#strikes > 0 && this.#runner.progressed;
    if ((cleared || this.machine.journal.hasUnwritten) && !this.#considerPark(now)) this.#submit({});
    if (unregistered !== undefined) {
      if (this.#lostPatience(unregistered, false)) {
        this.machine.undos.unregistered(unregistered);
        this.wake();
      }
    } else if (undo !== undefined) this.#runner.beginUndo(undo);
    else for (const ask of steps) this.#runner.begin(ask);
    if (!this.#lettingGo && this.machine.bodies.executing === 0) this.#rest(now);
    if (this.machine.inbox.wanted) this.host.wantInbox(this);
    // What is waited for here becomes due also while bodies execute.
    this.#dueTimer.set(this.#lettingGo ? null : this.linger.nextAt(this.machine.nextDueAt(now)), now);
  }

  /** Nothing executes: let go of the run, or wait here for what is due soon. */
  #rest(now: number): void {
    if (this.#considerPark(now)) return;
    if (this.#beginsNothing && this.#runner.living === 0) this.#letGo({ do: "release" }, { how: "released" });
  }

  #considerPark(now: number): boolean {
    if (this.#runner.living > 0) return false;
    const waiting = this.machine.waiting(now);
    if (waiting === undefined) return false;
    // A suspect that waits keeps all others from executing.
    if (!this.#beginsNothing && !this.#solitude.alone && this.linger.stays(waiting)) return false;
    const { dueAt, waits } = waiting;
    this.#letGo({ do: "park", dueAt, inbox: this.machine.inbox.seen, waits }, { how: "parked", dueAt });
    return true;
  }

  #conclude(conclusion: Conclusion): void {
    if (conclusion.do === "stick") {
      const stuck = {
        ...conclusion.stuck,
        message: this.values.toText(conclusion.stuck.message, "", "why it is stuck"),
      };
      this.host.logger.error(toLog(conclusion.stuck.message, this), { run: this.runId, code: stuck.code });
      return this.#letGo({ do: "stick", stuck }, { how: "stuck" });
    }
    const { status } = conclusion;
    const result = conclusion.status === "completed" ? conclusion.result : undefined;
    const error = conclusion.status === "completed" ? undefined : conclusion.error;
    this.#letGo({ do: "end", status, result, error }, { how: "ended", status, result, error });
  }

  #letGo(then: Then, how: LetGo): void {
    this.#lettingGo = true;
    this.#submit({ then, ...(this.#solitude.alone ? { alone: false } : {}) }, () => this.#finish(how));
  }

  #submit(extras: { readonly then?: Then; readonly alone?: boolean }, done?: () => void): void {
    // What settled is progress: the run is under suspicion no longer.
    const cleared = this.#strikes > 0 && (this.#runner.takeProgress() || this.machine.journal.goesFurther);
    if (cleared) this.#strikes = 0;
    const write = this.machine.journal.takeWrite(
      { runId: this.runId, attempt: this.attempt },
      { ...extras, ...(cleared ? { progressed: true, alone: false } : {}) },
    );
    const lastSeq = this.machine.journal.lastSeq;
    this.host.submit(write, (outcome) => {
      if (cleared) this.#solitude.leave();
      this.#written(outcome, lastSeq, done);
    });
  }

  #written(outcome: Outcome, lastSeq: number, done: (() => void) | undefined): void {
    if (this.#over) return;
    switch (outcome.is) {
      case "done":
        if ("refused" in outcome) this.machine.journal.refused(outcome.refused);
        this.machine.journal.markDurable(lastSeq);
        if (done !== undefined) done();
        else this.pumpNow();
        return;
      case "inbox-changed":
        this.machine.journal.markDurable(lastSeq);
        this.#lettingGo = false;
        this.host.wantInbox(this);
        return;
      case "refused":
        this.#refused(`the store refused its data: ${outcome.reason}`);
        return;
      default:
        this.abandon();
    }
  }

  /** The store can't hold what this run wrote: nothing of it is kept, and a person has to look once no body lives here. */
  #refused(why: string): void {
    this.#lettingGo = true;
    this.#refusal ??= why;
    this.#runner.abortAll("the run's data can't be stored");
    this.#stickRefused();
  }

  #stickRefused(): void {
    if (this.#refusal === undefined || this.#runner.living > 0) return;
    try {
      this.host.submit(refusalOf(this, this.#refusal), () => this.#finish({ how: "stuck" }));
    } catch (error) {
      this.storeLost(error); // the codec can't even encode why: given back, and tried again like after an outage
    }
  }

  /** The codec threw at what a body came to. The body is over, so nobody will know what it did. */
  unwritable(error: unknown): void {
    if (!this.#over) this.#refused(`its codec could not encode its data: ${String(readable(error))}`);
  }

  // ------------------------------------------------------------------------------------------ letting go

  /** Begin no more bodies and let go as soon as none executes; bodies are aborted when `abort` says so. */
  drain(abort: boolean): void {
    this.#draining = true;
    if (abort) this.#runner.abortAll("the worker is stopping");
    if (this.#started || this.#over) this.pumpNow();
    else this.#letGo({ do: "release" }, { how: "released" });
  }

  /** Fenced: this attempt is over. Its promises never settle, it can write nothing. */
  abandon(): void {
    if (this.#over) return;
    this.#runner.abortAll("the run was taken over by another worker");
    this.#finish({ how: "fenced" });
  }

  #finish(how: LetGo): void {
    if (this.#over) return;
    this.#over = true;
    this.#dueTimer.set(null, 0);
    this.#cancelPatience?.();
    this.#solitude.leave();
    this.host.letGo(this, how);
  }

  /** A body that lived in this process is over. */
  bodyGone(): void {
    if (!this.#over) {
      this.#stickRefused();
      this.wake();
    } else if (this.#runner.living === 0) this.host.bodiesGone(this);
  }

  /** The store failed in the middle of a transaction of the caller: what is durable is known only after reading it again. */
  storeLost(error: unknown): void {
    if (!(error instanceof StoreUnavailableError)) this.host.logger.error(String(error), { run: this.runId });
    this.abandon();
  }
}
