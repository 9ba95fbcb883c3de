/**
 * Sees what becomes of the runs of one worker: told by the runtime where it happens, read off what is written where it can be.
 *
 * Owns: how long bodies took, and what of it an observer and the outbox get. Does not own: when the observer is called
 * (observer-feed.ts), how an event of the outbox looks (outbox-events.ts).
 */
import type { Ask } from "../engine/asks.ts";
import type { AttemptEnd } from "../engine/bodies.ts";
import type {
  AdvanceWrite,
  Claim,
  NewEntry,
  Outcome,
  OutboxEvent,
  RetryState,
  Send,
  StuckNote,
} from "../store.ts";
import type { Activation } from "./activation.ts";
import { stepOf, undoKey } from "./body-keys.ts";
import type { LetGo } from "./host.ts";
import type { ObserverFeed } from "./observer-feed.ts";
import { outboxEventsOf, type Recorded } from "./outbox-events.ts";
import type { RunEvent, StepBegan } from "./run-events.ts";

type Untimed<E> = E extends RunEvent ? Omit<E, "at"> : never;

interface Body {
  readonly body: StepBegan["body"];
  readonly attempt: number;
  readonly beganAt: number;
  /** Its row before it began: another one afterwards says that it failed and is to be tried again. */
  readonly row: RetryState | undefined;
  /** Undefined while it executes. */
  ms?: number;
  /** It committed something of the outbox itself. */
  posted?: true;
}

/** What is remembered of one attempt of a run. */
interface Seen {
  /** By key; the undo of a step is a body of its own. */
  readonly bodies: Map<string, Body>;
  /** By the key of their row: failed attempts that the outbox knows of. */
  readonly failures: Map<string, number>;
  /** The outbox is to be told that the run began. */
  began: boolean;
  stuck?: StuckNote;
}

export interface WatchSetup {
  readonly feed: ObserverFeed | undefined;
  readonly outbox: boolean;
  /** Something was written to the outbox. */
  readonly posted: () => void;
  /** The store's clock. */
  readonly now: () => number;
}

export class Watch {
  readonly #setup: WatchSetup;
  readonly #seen = new WeakMap<Activation, Seen>();

  constructor(setup: WatchSetup) {
    this.#setup = setup;
  }

  // ------------------------------------------------------------------------------------------ the worker

  worker(type: "worker.joined" | "worker.fenced" | "worker.left", worker: number): void {
    this.#tell({ type, worker });
  }

  // ------------------------------------------------------------------------------------------ runs

  runBegan(activation: Activation, { run, journal, retries }: Claim): void {
    // One that died before it wrote anything has told nobody.
    const began = run.attempt === 1 || (journal.length === 0 && run.interrupted);
    const failures = new Map(retries.map((row) => [row.key, row.failures]));
    this.#seen.set(activation, { bodies: new Map(), failures, began });
    this.#tell({ type: "run.began", ...ofRun(activation), replayed: journal.length > 0 });
  }

  letGo(activation: Activation, how: LetGo): void {
    if (this.#setup.feed === undefined) return;
    const run = ofRun(activation);
    switch (how.how) {
      case "ended":
        return this.#ended(activation, how);
      case "parked":
        return this.#tell({
          type: "run.parked",
          ...run,
          dueAt: how.dueAt === null ? null : new Date(how.dueAt),
        });
      case "stuck":
        return this.#stuck(activation);
      case "released":
        return this.#tell({ type: "run.released", ...run });
      case "fenced":
        for (const [key, body] of this.#of(activation).bodies)
          if (body.ms === undefined) this.#abandoned(activation, key, body);
        this.#tell({ type: "run.fenced", ...run });
    }
  }

  #ended(activation: Activation, { status, error }: LetGo & { readonly how: "ended" }): void {
    const { startedAt, createdAt } = activation.machine.run;
    this.#tell({
      type: "run.ended",
      ...ofRun(activation),
      status,
      ms: this.#setup.now() - (startedAt ?? createdAt),
      ...(error === undefined
        ? {}
        : { error: read(() => activation.values.errorFromText(error, "", "error")) }),
    });
  }

  #stuck(activation: Activation): void {
    const { stuck } = this.#of(activation);
    if (stuck === undefined) return;
    const message = read(() => activation.values.fromText(stuck.message, "", "why it is stuck"));
    this.#tell({ type: "run.stuck", ...ofRun(activation), code: stuck.code, message: String(message) });
  }

  // ------------------------------------------------------------------------------------------ bodies

  bodyBegan(activation: Activation, ask: Ask<unknown>, body: StepBegan["body"]): void {
    const row = rowOf(activation, ask, body);
    const attempt = (row?.failures ?? 0) + 1;
    const key = body === "undo" ? undoKey(ask.key) : ask.key;
    const began = { body, attempt, beganAt: this.#setup.now(), row };
    this.#of(activation).bodies.set(key, began);
    this.#tell({ type: "step.began", ...ofBody(activation, key, began) });
  }

  /** What came of it is queued already. */
  bodyEnded(activation: Activation, ask: Ask<unknown>, kind: "step" | "undo", end: AttemptEnd): void {
    const key = kind === "undo" ? undoKey(ask.key) : ask.key;
    const body = this.#of(activation).bodies.get(key);
    if (body === undefined || body.ms !== undefined) return; // it never began: a person is to decide first
    body.ms = this.#setup.now() - body.beganAt;
    if (body.posted) {
      this.#of(activation).began = false;
      this.#setup.posted();
    }
    const told = ofBody(activation, key, body);
    const error = end.how === "failed" ? { error: asError(end.error) } : undefined;
    const outcome = error ? "failed" : end.how === "interrupted" ? "interrupted" : "ok";
    this.#tell({ type: "step.ended", ...told, ms: body.ms, outcome, ...error });
    const row = rowOf(activation, ask, body.body);
    if (error !== undefined && row !== body.row && typeof row?.nextAt === "number")
      this.#tell({ type: "step.retried", ...told, ...error, nextAt: new Date(row.nextAt) });
  }

  /** It was given up after its timeout. */
  bodyLingers(activation: Activation, ask: Ask<unknown>, kind: StepBegan["body"]): void {
    const key = kind === "undo" ? undoKey(ask.key) : ask.key;
    const body = this.#of(activation).bodies.get(key);
    if (body !== undefined) this.#abandoned(activation, key, body);
  }

  #abandoned(activation: Activation, key: string, body: Body): void {
    this.#tell({ type: "step.abandoned", ...ofBody(activation, key, body) });
  }

  // ------------------------------------------------------------------------------------------ writes

  /** The write with what the outbox is told of it. */
  written(activation: Activation, write: AdvanceWrite): AdvanceWrite {
    const seen = this.#of(activation);
    if (write.then?.do === "stick") seen.stuck = write.then.stuck;
    if (!this.#setup.outbox) return write;
    const failed = (write.retries ?? []).filter(
      ({ key, failures }) => failures > (seen.failures.get(key) ?? 0),
    );
    for (const { key, failures } of failed) seen.failures.set(key, failures);
    const outbox = this.#outboxOf(activation, { ...write, retries: failed });
    seen.began = false;
    return outbox.length === 0 ? write : { ...write, outbox };
  }

  /** What the outbox is told of an entry that a transaction of the caller commits. */
  transacted(activation: Activation, entry: NewEntry): readonly OutboxEvent[] {
    if (!this.#setup.outbox) return [];
    const body = this.#of(activation).bodies.get(entry.key);
    if (body !== undefined) body.posted = true;
    return this.#outboxOf(activation, { entries: [entry], retries: [] });
  }

  #outboxOf(activation: Activation, write: Recorded): readonly OutboxEvent[] {
    const { bodies, began } = this.#of(activation);
    const now = this.#setup.now();
    const msOf = (key: string): number | null => {
      const body = bodies.get(key);
      return body === undefined ? null : (body.ms ?? now - body.beganAt);
    };
    return outboxEventsOf(write, { activation, began, now, msOf });
  }

  settled(activation: Activation, write: AdvanceWrite, outcome: Outcome): void {
    if (write.outbox !== undefined) this.#setup.posted();
    if (outcome.is !== "done" || write.sends === undefined) return;
    const refused = "refused" in outcome ? outcome.refused : [];
    for (const send of write.sends)
      if (!refused.some(({ seq }) => seq === send.seq))
        this.#tell({ type: "run.sent", ...ofRun(activation), ...sentBy(send) });
  }

  // ------------------------------------------------------------------------------------------

  /** Attempts that the worker took before it was watched are not told of. */
  #of(activation: Activation): Seen {
    return this.#seen.get(activation) ?? { bodies: new Map(), failures: new Map(), began: false };
  }

  #tell(event: Untimed<RunEvent>): void {
    this.#setup.feed?.tell({ ...event, at: new Date(this.#setup.now()) });
  }
}

function ofRun(activation: Activation): {
  readonly run: string;
  readonly workflow: string;
  readonly version: string;
  readonly runAttempt: number;
} {
  const { id, workflow, version, attempt } = activation.machine.run;
  return { run: id, workflow, version, runAttempt: attempt };
}

function ofBody(
  activation: Activation,
  key: string,
  { body, attempt }: Body,
): Omit<Untimed<StepBegan>, "type" | "dropped"> {
  return { ...ofRun(activation), step: stepOf(key), body, attempt };
}

function rowOf({ machine }: Activation, ask: Ask<unknown>, body: StepBegan["body"]): RetryState | undefined {
  return body === "undo" ? machine.undos.rowOf(ask.key) : ask.retry;
}

function sentBy(send: Send): {
  readonly what: "child" | "start" | "event" | "signal" | "cancel";
  readonly to: string;
} {
  switch (send.kind) {
    case "start":
      return { what: send.awaited ? "child" : "start", to: send.run.id };
    case "message":
      return { what: send.message.type, to: send.runId };
    case "emit":
      return { what: "event", to: send.event.name };
  }
}

/** What was encoded a moment ago; a codec that can't read it again must not fail the run. */
function read<T>(decode: () => T): T | Error {
  try {
    return decode();
  } catch (error) {
    return asError(error);
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
