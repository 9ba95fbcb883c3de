/** Drives a `RunMachine` by hand: calls go in, decisions come out. No clock, no promise. */
import type { Ask, AskRequest, BodyPlan } from "../../src/engine/asks.ts";
import type { AttemptEnd, FailedEnd } from "../../src/engine/bodies.ts";
import type { Conclusion, Next } from "../../src/engine/decisions.ts";
import { RunMachine } from "../../src/engine/machine.ts";
import { retryOf } from "../../src/engine/retry.ts";
import { type Values, valuesOf } from "../../src/engine/values.ts";
import type {
  AdvanceWrite,
  Claim,
  Entry,
  EntryKind,
  Message,
  NewEntry,
  RetryState,
  RunRecord,
} from "../../src/store.ts";
import type { RetryPolicy } from "../../src/context.ts";

/** When every run of these tests was created and first claimed. */
export const START = 1_000_000;

export const values: Values = valuesOf("run-1", undefined);

export function runRecord(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    id: "run-1",
    workflow: "order",
    version: "1",
    parent: null,
    event: null,
    raw: false,
    phase: "forward",
    end: null,
    owner: 1,
    attempt: 1,
    dueAt: null,
    stuck: null,
    paused: null,
    priority: 0,
    tags: {},
    input: "null",
    result: null,
    error: null,
    inbox: 0,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    waits: [],
    createdAt: START,
    startedAt: START,
    endedAt: null,
    timeoutMs: null,
    ...changes,
  };
}

/** Entries in order, each 10 ms after the one before: `["step", "a", { value: "1" }]`. */
export type EntryText = readonly [kind: EntryKind, key: string, rest?: Partial<NewEntry>];

export function entries(...texts: readonly EntryText[]): Entry[] {
  return texts.map(([kind, key, rest], index) => ({
    seq: index + 1,
    kind,
    key,
    at: START + 10 * (index + 1),
    attempt: 1,
    ...rest,
  }));
}

export function signal(no: number, name: string, payload: unknown, at: number = START): Message {
  return { no, type: "signal", id: `m${no}`, name, payload: JSON.stringify(payload), at };
}

export function cancel(no: number, order: { readonly compensate: boolean } = { compensate: true }): Message {
  return { no, type: "cancel", id: `m${no}`, name: "", payload: JSON.stringify(order), at: START };
}

export interface StepWish {
  readonly key?: string;
  readonly was?: readonly string[];
  readonly compensate?: true;
  readonly inDoubt?: true;
  readonly retry?: RetryPolicy | false;
  /** False: asked for outside a delivery turn. */
  readonly inTurn?: boolean;
}

export interface MachineSetup {
  readonly run?: Partial<RunRecord>;
  readonly journal?: readonly Entry[];
  readonly messages?: readonly Message[];
  readonly retries?: readonly RetryState[];
}

type Given = Omit<AskRequest<string>, "handle">;

export class MachineRig {
  readonly machine: RunMachine<string>;
  now: number = START + 1000;

  constructor({ run = {}, journal = [], messages = [], retries = [] }: MachineSetup = {}) {
    const claim: Claim = {
      run: runRecord({ inbox: messages.length, ...run }),
      journal,
      messages,
      retries,
    };
    this.machine = new RunMachine(claim, values);
  }

  // -------------------------------------------------------------------------------- the code's asks

  tryAsk(request: Given, inTurn = true): Ask<string> | undefined {
    return this.machine.ask({ ...request, handle: request.name }, inTurn, this.now);
  }

  ask(request: Given, inTurn = true): Ask<string> {
    const ask = this.tryAsk(request, inTurn);
    if (ask === undefined) throw new Error(`${request.kind} ${request.name} was not served`);
    return ask;
  }

  step(name: string, wish: StepWish = {}): Ask<string> {
    const { key, was } = wish;
    return this.ask(
      {
        ...stepRequest(name, wish),
        ...(key === undefined ? {} : { key }),
        ...(was === undefined ? {} : { was }),
      },
      wish.inTurn ?? true,
    );
  }

  timer(name: string, ms: number): Ask<string> {
    return this.ask({ kind: "timer", name, dueAt: this.machine.nowMs + ms });
  }

  wait(name: string, ms?: number): Ask<string> {
    return this.ask({ kind: "signal", name, dueAt: ms === undefined ? null : this.machine.nowMs + ms });
  }

  pivot(name: string): Ask<string> {
    return this.ask({ kind: "pivot", name });
  }

  undo(name: string, retry?: RetryPolicy | false): Ask<string> {
    return this.ask({ kind: "undo", name, compensates: true, plan: planOf({ retry: retry ?? {} }) });
  }

  // -------------------------------------------------------------------------------- what it answers

  /** One step of the delivery loop, as `deliver step a`, `diverge step a`, `diverge step a for good` or `quiet`. */
  next(): string {
    return showNext(this.machine.next());
  }

  /** Delivers until quiet, letting `code` ask for more after each: `["step a", "timer nap"]`. */
  deliver(code: Readonly<Record<string, () => void>> = {}): string[] {
    const delivered: string[] = [];
    for (;;) {
      const next = this.machine.next();
      if (next.do !== "deliver") return next.do === "quiet" ? delivered : [...delivered, showNext(next)];
      delivered.push(`${next.ask.kind} ${next.ask.key}`);
      code[next.ask.key]?.();
    }
  }

  /** Settles what is due without a body, delivering each. */
  settle(code: Readonly<Record<string, () => void>> = {}): string[] {
    const delivered = this.deliver(code);
    while (this.machine.settleDue(this.now)) delivered.push(...this.deliver(code));
    return delivered;
  }

  /** Queues starts and writes everything, durably. */
  write(): AdvanceWrite {
    const write = this.take();
    this.machine.journal.markDurable(this.machine.journal.lastSeq);
    return write;
  }

  /** Hands what is queued to the committer, which has not answered yet. */
  take(): AdvanceWrite {
    return this.machine.journal.takeWrite({ runId: "run-1", attempt: 1 });
  }

  /** Keys of the steps that may begin now, or `undo x`, or `unregistered x`. */
  begins(): string[] {
    const { steps, undo, unregistered } = this.machine.begins(this.now);
    if (undo !== undefined) return [`undo ${undo.key}`];
    if (unregistered !== undefined) return [`unregistered ${unregistered}`];
    return steps.map((ask) => ask.key);
  }

  /** All the way to a body that executes. */
  begin(ask: Ask<string>): void {
    this.machine.queueStarts(this.now);
    this.deliver();
    this.write();
    if (!this.begins().includes(ask.key)) throw new Error(`${ask.key} may not begin`);
    this.machine.bodies.begin(ask, this.now);
  }

  end(ask: Ask<string>, end: AttemptEnd): void {
    this.machine.stepEnded(ask, end, this.now);
  }

  /** Runs the body: its value is journaled, delivered and durable. */
  complete(ask: Ask<string>, value: unknown = null): void {
    this.begin(ask);
    this.end(ask, { how: "completed", text: JSON.stringify(value) });
    this.deliver();
    this.write();
  }

  /** Begins the undo that is next and lets it succeed. */
  undoNext(): string {
    const { undo } = this.machine.begins(this.now);
    if (undo === undefined) throw new Error("no undo may begin");
    this.machine.undos.began();
    this.machine.undos.completed(undo.key, this.now);
    this.deliver();
    this.write();
    return undo.key;
  }

  /** Keys of the last `unwinding` entry that was written. */
  undoKeys: readonly string[] = [];

  /** Lets the run conclude, with the `unwinding` entry durable. */
  conclude(): Conclusion | undefined {
    for (;;) {
      this.deliver();
      const conclusion = this.machine.conclude(this.now);
      if (conclusion !== "queued") return conclusion;
      this.deliver();
      const unwinding = this.write().entries.find(({ kind }) => kind === "unwinding");
      this.undoKeys = (JSON.parse(unwinding?.value ?? "{}") as { readonly keys: readonly string[] }).keys;
    }
  }

  /** What is queued and not yet taken by a write. Takes it. */
  queued(): string[] {
    return this.write().entries.map(({ kind, key }) => `${kind} ${key}`.trim());
  }
}

function showNext(next: Next<string>): string {
  if (next.do === "quiet") return "quiet";
  const entry = `${next.entry.kind} ${next.entry.key}`;
  if (next.do === "deliver") return `deliver ${entry}`;
  return `diverge ${entry}${next.final ? " for good" : ""}`;
}

function planOf({ compensate, inDoubt, retry }: StepWish): BodyPlan {
  return {
    retry: retryOf(retry, "test"),
    recordStart: compensate === true || inDoubt === true,
    askInDoubt: inDoubt === true,
  };
}

function stepRequest(name: string, wish: StepWish = {}): Given {
  return { kind: "step", name, plan: planOf(wish), compensates: wish.compensate === true };
}

/** A failed attempt. `fatal`: not to be tried again. */
export function failed(message: string, more: Partial<FailedEnd> = {}): FailedEnd {
  return {
    how: "failed",
    error: new Error(message),
    message,
    fatal: false,
    timedOut: false,
    lookUp: false,
    random: 0.5,
    ...more,
  };
}
