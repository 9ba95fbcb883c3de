/**
 * A recorded run against some code: would it go on where it was, or has the code diverged from what the run has been through?
 * The run's handler is called, none of its bodies is: the host that the engine gets here lets none begin, and stores nothing.
 */
import { systemClock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { type Codec, valuesOf } from "../engine/values.ts";
import { StoreError } from "../errors.ts";
import type { AdvanceWrite, EntryKind, NewEntry, Store, WaitNote } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { Activation } from "./activation.ts";
import { BodyGate } from "./body-gate.ts";
import type { Host } from "./host.ts";
import { PAYLOAD_MAX_BYTES } from "./limits.ts";
import type { Recorded } from "./recorded.ts";
import { StandingClock } from "./standing-clock.ts";

/** What comes of a recorded run with today's code. `adds`: what it would journal first, such as `"end completed"`. */
export type Replay<O = unknown> =
  | {
      readonly is: "ended";
      readonly status: "completed";
      readonly result: O;
      readonly adds: readonly string[];
    }
  | {
      readonly is: "ended";
      readonly status: "failed" | "canceled";
      readonly error: Error;
      readonly adds: readonly string[];
    }
  /** Nothing is left to do but to wait; `until` in milliseconds since the epoch. */
  | { readonly is: "waiting"; readonly for: readonly WaitNote[]; readonly adds: readonly string[] }
  /** These bodies would be called next: `"step charge"`, `"undo charge"`, or, where a worker died with it, `"inDoubt charge"`. */
  | { readonly is: "going-on"; readonly next: readonly string[]; readonly adds: readonly string[] }
  /** The journal continues with `at`, and the code does not ask for it: deployed, this code would leave the run stuck. */
  | {
      readonly is: "diverged";
      readonly at: { readonly seq: number; readonly kind: EntryKind; readonly key: string };
      /** What the code asks for instead, and the remedies. */
      readonly message: string;
    }
  /** Stuck for another reason: `code` as in docs/errors.md. */
  | { readonly is: "stuck"; readonly code: string; readonly message: string };

/** Calls no body, and stores nothing. */
export function replayClaim(
  definition: Workflow,
  recorded: Recorded,
  codec: Codec | undefined,
): Promise<Replay> {
  return new ReplayStage(definition, recorded, codec).outcome();
}

/** As long as a worker gives the code's own awaits. */
const OWN_AWAITS_MS = 1000;
const LOOK_EVERY_MS = 5;
/** A divergence is said a moment later than that. */
const GIVEN_UP_AFTER_MS = 1250;

const ignore = (): void => {};
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

class ReplayStage implements Host {
  readonly clock: StandingClock;
  readonly logger = SILENT;
  readonly codec: Codec | undefined;
  readonly gate: BodyGate = new BodyGate(() => {});
  readonly maxPayloadBytes: number = PAYLOAD_MAX_BYTES;
  readonly abortGraceMs = 0;
  readonly worker = 1;
  readonly crowded = false;
  readonly watch = undefined;
  readonly #runId: string;
  readonly #activation: Activation;
  readonly #entries: NewEntry[] = [];
  #then: AdvanceWrite["then"];

  constructor(workflow: Workflow, { claim, until }: Recorded, codec: Codec | undefined) {
    this.clock = new StandingClock(until);
    this.codec = codec;
    this.#runId = claim.run.id;
    this.#activation = new Activation(this, claim, workflow);
  }

  async outcome(): Promise<Replay> {
    this.#activation.begin();
    await this.clock.quiet();
    const givenUpAt = systemClock.monotonic() + GIVEN_UP_AFTER_MS;
    let outcome = this.#look();
    while (outcome === undefined && systemClock.monotonic() < givenUpAt) {
      await pause();
      await this.clock.quiet();
      outcome = this.#look();
    }
    outcome ??= this.#unregistered() ?? this.#awaitsItsOwn();
    this.#activation.abandon();
    this.clock.stop();
    return outcome;
  }

  // ------------------------------------------------------------------------------------------ the host of the run

  /** Only a body would write to it. */
  get store(): Store {
    throw new StoreError("a replay stores nothing");
  }

  now(): number {
    return this.clock.now();
  }

  mayBegin(): boolean {
    return false;
  }

  submit(write: AdvanceWrite, settle: Parameters<Host["submit"]>[1]): void {
    this.#entries.push(...write.entries);
    this.#then ??= write.then;
    this.clock.macrotask(() => settle({ is: "done" }));
  }

  wantInbox(): void {}

  bodiesGone(): void {}

  letGo(): void {}

  // ------------------------------------------------------------------------------------------ what came of it

  /** Undefined while it is not known yet: the code may be awaiting something of its own. */
  #look(): Replay | undefined {
    if (this.#then !== undefined) return this.#concluded(this.#then);
    const { machine } = this.#activation;
    const now = this.now();
    const { steps, undo } = machine.begins(now);
    if (steps.length > 0 || undo !== undefined) {
      const next =
        undo === undefined
          ? steps.map((ask) => `${machine.bodies.inDoubt(ask) ? "inDoubt" : "step"} ${ask.key}`)
          : [`undo ${undo.key}`];
      return { is: "going-on", next, adds: this.#adds() };
    }
    const waiting = machine.waiting(now);
    return waiting && { is: "waiting", for: waiting.waits, adds: this.#adds() };
  }

  #concluded(then: NonNullable<AdvanceWrite["then"]>): Replay {
    const values = valuesOf(this.#runId, this.codec);
    const adds = this.#adds();
    switch (then.do) {
      case "park":
        return { is: "waiting", for: then.waits, adds };
      case "stick":
        return this.#stuck(
          then.stuck.code,
          String(values.fromText(then.stuck.message, "", "why it is stuck")),
        );
      case "end": {
        const { status, result, error } = then;
        if (status === "completed") {
          const value = result === undefined ? undefined : values.fromText(result, "", "its result");
          return { is: "ended", status, result: value, adds };
        }
        return { is: "ended", status, error: values.errorFromText(error ?? "{}", "", "its error"), adds };
      }
      default:
        return this.#awaitsItsOwn();
    }
  }

  #stuck(code: string, message: string): Replay {
    const next = this.#activation.machine.journal.peek();
    if (code !== "DIVERGED" || next === undefined) return { is: "stuck", code, message };
    const { seq, kind, key } = next;
    return { is: "diverged", at: { seq, kind, key }, message };
  }

  /** The others would still be undone first. */
  #unregistered(): Replay | undefined {
    const { unregistered } = this.#activation.machine.begins(this.now());
    if (unregistered === undefined) return undefined;
    const message = `run ${this.#runId}: it is being undone, and the code no longer registers the compensation of ${unregistered}: keep it for the runs that are under way`;
    return { is: "stuck", code: "UNDO_FAILED", message };
  }

  #awaitsItsOwn(): Replay {
    const message = `run ${this.#runId}: its handler awaits something that is not of its ctx, for longer than ${OWN_AWAITS_MS} ms: put it into a step`;
    return { is: "stuck", code: "BUG", message };
  }

  #adds(): readonly string[] {
    return this.#entries.map(({ kind, key }) => `${kind} ${key}`.trim());
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(LOOK_EVERY_MS, resolve);
  });
}
