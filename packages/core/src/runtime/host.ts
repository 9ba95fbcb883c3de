import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import type { Codec } from "../engine/values.ts";
import type { AdvanceWrite, EndStatus, Outcome, Store } from "../store.ts";
import type { Activation } from "./activation.ts";
import type { BodyGate } from "./body-gate.ts";
import type { Watch } from "./watch.ts";

/** What an activation needs of its worker. */
export interface Host {
  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly codec: Codec | undefined;
  readonly gate: BodyGate;
  readonly maxPayloadBytes: number;
  /** A body that ignores its signal for so long is given up: its run goes on without it. */
  readonly abortGraceMs: number;
  readonly worker: number;
  /** Something is due that has no slot. */
  readonly crowded: boolean;
  /** Told what becomes of runs and bodies, when somebody wants to know. */
  readonly watch: Watch | undefined;
  /** The store's clock. */
  now(): number;
  /** Within the lease by both clocks, minus a margin. */
  mayBegin(): boolean;
  submit(write: AdvanceWrite, settle: (outcome: Outcome) => void): void;
  /** The run's messages changed: ask the store for them. */
  wantInbox(activation: Activation): void;
  /** A run that is no longer this worker's has no body left in this process. */
  bodiesGone(activation: Activation): void;
  /** The run is no longer this worker's. */
  letGo(activation: Activation, how: LetGo): void;
}

export type LetGo =
  | {
      readonly how: "ended";
      readonly status: EndStatus;
      readonly result: string | undefined;
      readonly error: string | undefined;
    }
  | { readonly how: "parked"; readonly dueAt: number | null }
  | { readonly how: "released" | "stuck" | "fenced" };
