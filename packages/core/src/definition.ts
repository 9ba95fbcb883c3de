/** What a workflow is to those who start, call and execute it. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Context, Duration, RetryPolicy } from "./context.ts";
import type { EndStatus } from "./store.ts";

/** `I` is what a start takes, `H` what the handler gets: the same, unless the input schema makes something else of it. */
export interface WorkflowOptions<I, O, H = I> {
  /** Identifies the workflow in the store: at most 200 characters. */
  readonly name: string;
  /** Validates the input at `start`, which takes the schema's input; the handler gets its output. */
  readonly input?: StandardSchemaV1<I, H>;
  /** Validates the handler's result; the run's result is the schema's output. */
  readonly output?: StandardSchemaV1<unknown, O>;
  /** A run stays on the version that it was started with; default `"1"`. */
  readonly version?: string;
  /** For steps that have no policy of their own. */
  readonly retry?: RetryPolicy;
  /** From its first claim: then the run is undone and fails with `RunTimeoutError`. */
  readonly timeout?: Duration;
  /** Runs with a higher priority are claimed first; default 0, an integer. */
  readonly priority?: number;
  /**
   * An event of this name starts a run, with its payload as the input. The store knows of it from the first worker that has the
   * workflow on, also while no worker is up. An invalid payload fails the run with a `ValidationError`.
   */
  readonly on?: string;
  /** Runs that ended longer ago than this are purged by the workers that have the workflow; default: never. */
  readonly retention?: Duration | Readonly<Partial<Record<EndStatus, Duration>>>;
}

/** A workflow's definition; made by `workflow()`, given to `Client.start` and to `Worker`. */
export interface Workflow<I = unknown, O = unknown> {
  readonly name: string;
  readonly version: string;
  readonly options: WorkflowOptions<unknown, O>;
  /** It takes what the input schema makes of an `I`. */
  readonly handler: (ctx: Context, input: never) => O | Promise<O>;
  /** For the compiler alone: what a start takes. */
  readonly accepts?: ((input: I) => void) | undefined;
}

/** A workflow of whatever input and result. */
export type AnyWorkflow = Pick<Workflow, "name" | "version">;
