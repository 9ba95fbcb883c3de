/** A workflow whose bodies are called through somebody else: how tests mock, count and crash them, without a door in the engine. */
import type { CallOptions, Context, StepContext, StepOptions, UndoOptions } from "../context.ts";
import { RunContext } from "../runtime/run-context.ts";
import type { AnyWorkflow, Workflow } from "../definition.ts";

export interface BodyCall {
  /** `step` a step's body · `undo` a compensation · `lookUp` an `inDoubt` function · `transaction` SQL in the store's own transaction. */
  readonly kind: "step" | "undo" | "lookUp" | "transaction";
  readonly runId: string;
  /** As the handler named it; `key` as it was given in the options. */
  readonly name: string;
  readonly key?: string;
  /** The step has a `compensate` of its own. */
  readonly isCompensated?: boolean;
  /** What the body gets; a transaction's has none. */
  readonly step?: StepContext;
}

/** Called in place of a body; `body` calls it. */
export type AroundBody = (call: BodyCall, body: () => unknown) => unknown;

type Sql = (tx: unknown) => unknown;
type Undo = (done: never, step: StepContext) => unknown;

/** The same workflow; only that `around` is called wherever one of its bodies would be. */
export function aroundBodies<I, O>(workflow: Workflow<I, O>, around: AroundBody): Workflow<I, O> {
  return {
    ...workflow,
    handler: (ctx, input) =>
      workflow.handler(ctx instanceof RunContext ? aroundContext(ctx, around) : ctx, input),
  };
}

/** What is not wrapped is called on the context itself: its fields are private to it. */
function aroundContext(ctx: RunContext, around: AroundBody): Context {
  const runId = ctx.run.id;
  const wrapped = {
    step: <T>(name: string, fn: (step: StepContext) => T | Promise<T>, options: StepOptions<T> = {}) =>
      ctx.step<T>(
        name,
        aroundStep({ runId, name, options }, fn, around),
        aroundOptions({ runId, name, options }, around),
      ),
    compensate: (name: string, undo: (step: StepContext) => unknown, options?: UndoOptions) =>
      ctx.compensate(name, (step) => around({ kind: "undo", runId, name, step }, () => undo(step)), options),
    transact: <T>(name: string, sql: Sql, options?: Pick<StepOptions<T>, "key" | "retry">) =>
      ctx.transact<T>(
        name,
        (tx) => around({ kind: "transaction", runId, name, ...keyOf(options) }, () => sql(tx)),
        options,
      ),
    call: <I, O>(child: Workflow<I, O>, input: I, options: CallOptions<O> = {}) =>
      ctx.call(child, input, aroundCall(runId, child, options, around)),
  };
  return new Proxy(ctx, {
    get(target, property) {
      if (Object.hasOwn(wrapped, property)) return wrapped[property as keyof typeof wrapped];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

interface Asked<T> {
  readonly runId: string;
  readonly name: string;
  readonly options: StepOptions<T>;
}

function aroundStep<T>(
  { runId, name, options }: Asked<T>,
  fn: (step: StepContext) => T | Promise<T>,
  around: AroundBody,
): (step: StepContext) => T | Promise<T> {
  // What is no function is refused by the context, with its own words.
  if (typeof fn !== "function") return fn;
  return (step) =>
    around(
      { kind: "step", runId, name, step, isCompensated: options.compensate !== undefined, ...keyOf(options) },
      () => fn(step),
    ) as T | Promise<T>;
}

function aroundOptions<T>({ runId, name, options }: Asked<T>, around: AroundBody): StepOptions<T> {
  const { compensate, inDoubt } = options;
  const call = { runId, name, ...keyOf(options) };
  return {
    ...options,
    ...(compensate === undefined
      ? {}
      : {
          compensate: ((done, step) =>
            around({ kind: "undo", ...call, step }, () =>
              (compensate as Undo)(done, step),
            )) as Undo as NonNullable<StepOptions<T>["compensate"]>,
        }),
    ...(typeof inDoubt !== "function"
      ? {}
      : {
          inDoubt: (step) =>
            around({ kind: "lookUp", ...call, step }, () => inDoubt(step)) as ReturnType<typeof inDoubt>,
        }),
  };
}

/** A child's own bodies are those of its run; its parent has but the undo. */
function aroundCall<O>(
  runId: string,
  child: AnyWorkflow | string,
  options: CallOptions<O>,
  around: AroundBody,
): CallOptions<O> {
  const undo = options.compensate as Undo | undefined;
  if (undo === undefined) return options;
  const name = options.name ?? (typeof child === "string" ? child : child.name);
  const compensate: Undo = (done, step) =>
    around({ kind: "undo", runId, name, step }, () => undo(done, step));
  return { ...options, compensate: compensate as NonNullable<CallOptions<O>["compensate"]> };
}

function keyOf(options: { readonly key?: string } | undefined): { readonly key?: string } {
  return options?.key === undefined ? {} : { key: options.key };
}
