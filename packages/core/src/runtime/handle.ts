import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Ask } from "../engine/asks.ts";
import type { DoubtResolution, StepContext, StepOutcome } from "../context.ts";

/** What the runtime keeps with each ask: the promise that the run's code awaits, and the body to run. */
export interface AskHandle {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly schema?: StandardSchemaV1 | undefined;
  readonly body?: Body | undefined;
  /** What the store's refusal of what it sent out means to the code. */
  readonly refusal?: ((reason: string, id: string) => Error) | undefined;
}

export interface Body {
  readonly timeoutMs: number | undefined;
  /** The step itself; absent for a bare compensation. */
  readonly run?: (step: StepContext) => unknown;
  /** The step's own SQL, committed with its journal entry. */
  readonly transact?: (tx: unknown) => unknown;
  readonly undo?: (done: StepOutcome<unknown>, step: StepContext) => unknown;
  readonly inDoubt?: "stick" | ((step: StepContext) => Promise<DoubtResolution<unknown>>);
}

/** What the codec bound the text to: a signal was encoded by its sender, who knows its name only. */
export function codecKeyOf(ask: Ask<AskHandle>): string {
  return ask.kind === "signal" ? ask.name : ask.key;
}
