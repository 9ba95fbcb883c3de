/** What runs programs, as their code sees it. */
import type { StepContext } from "@everstep/core";

/** One execution of a body, as its code knows it. */
export interface Doing {
  readonly kind: "step" | "undo" | "lookUp" | "transaction";
  readonly run: string;
  /** The key of its step, or of the undo itself when that belongs to no step. */
  readonly key: string;
  /** Which pass of the handler it belongs to. */
  readonly pass: number;
  /** How many lines that pass had told when it began. */
  readonly seen: number;
  /** Of a step's undo: the result that it was given, or `unknown`. */
  readonly told?: string;
}

export type WriteHow = "at once" | "later";

/** What one simulated process does with the world. */
export interface Outside {
  /** Of each call of the handler, in whatever process: a number of its own. */
  beginPass(run: string): number;
  /** The one effect of a body; resolves with a token that is new each time, or never, when its process dies there. */
  perform(step: StepContext, doing: Doing): Promise<string>;
  /** The same at once; throws when its process dies there. */
  performNow(step: StepContext, doing: Doing): string;
  /** The one effect of a transaction: a row in the store's own database. At once if it is asked to, and where the driver knows nothing else. */
  write(tx: unknown, doing: Doing, how: WriteHow): string | Promise<string>;
  /** The body that got this token returns its value, or throws. */
  ended(token: string, how: "returned" | "threw"): void;
  /** The first token that was given out under this idempotency key for a step. */
  find(idempotencyKey: string): string | undefined;
  /** True the first time, in whatever process. */
  failsNow(run: string, key: string): boolean;
  /** Asks for the cancel of this run, as a client does; resolves once that is durable. */
  cancel(run: string): Promise<void>;
  /** A line of what the code of this pass did or saw. */
  observe(run: string, pass: number, line: string): void;
}
