/** What runs while its processes are killed. Each body has an effect that the ledger writes down. */
import {
  type Context,
  FatalError,
  SignalTimeoutError,
  type StepContext,
  type StepOutcome,
  type Workflow,
  workflow,
} from "@everstep/core";
import type { Ground } from "./ground.ts";
import type { Effects } from "./ledger-link.ts";

export interface Input {
  /** Half of the sagas have an undo that fails at first. */
  readonly no: number;
}

export type Name = "five" | "gather" | "saga" | "posted" | "bell" | "careful";
export const NAMES: readonly [Name, ...Name[]] = ["five", "gather", "saga", "posted", "bell", "careful"];

/** Steps whose first attempt fails. */
export const FLAKY: ReadonlySet<string> = new Set(["three", "reserve/undo"]);
/** The step that fails for good, and says that nothing happened. */
export const DECLINED = "decline";
/** Workflows whose steps follow one another. */
export const SEQUENCES: Readonly<Partial<Record<string, readonly string[]>>> = {
  five: ["one", "two", "three", "four", "five"],
  saga: ["reserve", "charge", "book", DECLINED],
  careful: ["before", "once", "after"],
};
/** How long `gather` sleeps. */
export const NAP_MS = 30;
/** How long `bell` waits for a ring, and what it takes for one when none came. */
export const PATIENCE_MS = 150;
export const NOBODY = "nobody";
/** A step that never begins twice, and its result when nobody knows whether it happened. */
export const AT_MOST_ONCE = "once";
export const IN_DOUBT = "in doubt";

const QUICKLY = { initialDelay: 5 };
/** Long enough for processes to be killed and frozen meanwhile: a process that wakes up must not think that it is its turn. */
const LATER = { initialDelay: 600 };

export type Workflows = Readonly<Record<Name, Workflow<Input>>>;

export function workflowsOf(effects: Effects, ground: Pick<Ground, "post">): Workflows {
  const step = (ctx: Context, name: string): Promise<string> =>
    ctx.step(name, (step) => effects.perform(step, { run: ctx.run.id, step: name }));
  return {
    five: workflow({ name: "five", retry: QUICKLY }, (ctx, _input: Input) => five(ctx, effects, step)),
    gather: workflow({ name: "gather", retry: QUICKLY }, (ctx, _input: Input) => gather(ctx, step)),
    saga: workflow({ name: "saga", retry: QUICKLY }, (ctx, input: Input) => saga(ctx, effects, input)),
    posted: workflow({ name: "posted", retry: QUICKLY }, (ctx, _input: Input) => posted(ctx, step, ground)),
    bell: workflow({ name: "bell", retry: QUICKLY }, (ctx, _input: Input) => bell(ctx, step)),
    careful: workflow({ name: "careful", retry: QUICKLY }, (ctx, _input: Input) =>
      careful(ctx, step, effects),
    ),
  };
}

type Step = (ctx: Context, name: string) => Promise<string>;

/** Five sequential steps; the first attempt of the third fails. */
async function five(ctx: Context, effects: Effects, step: Step): Promise<unknown> {
  const flaky = (body: StepContext): Promise<string> => {
    const place = { run: ctx.run.id, step: "three" };
    if (body.attempt === 1) return effects.fail(body, place, new Error("not yet"));
    return effects.perform(body, place);
  };
  const one = await step(ctx, "one");
  const two = await step(ctx, "two");
  const three = await ctx.step("three", flaky, { retry: LATER });
  const four = await step(ctx, "four");
  return { one, two, three, four, five: await step(ctx, "five") };
}

/** Parallel steps, races that a timer, a step and a signal win, and a step after all of them. */
async function gather(ctx: Context, step: Step): Promise<unknown> {
  const [a, b, c] = await Promise.all([step(ctx, "a"), step(ctx, "b"), step(ctx, "c")]);
  await ctx.race({
    nap: (signal) => ctx.sleep("nap", NAP_MS, { signal }),
    never: (signal) => ctx.waitForSignal("never", { signal }),
  });
  await ctx.race({ left: () => step(ctx, "left"), right: () => step(ctx, "right") });
  const { value: approval } = await ctx.race({
    approval: (signal) => ctx.waitForSignal("approval", { signal }),
    late: (signal) => ctx.sleep("late", "1h", { signal }),
  });
  return { a, b, c, approval, last: await step(ctx, "last") };
}

/** Undone in the end; half of them have an undo whose first attempt fails. */
async function saga(ctx: Context, effects: Effects, input: Input): Promise<unknown> {
  const run = ctx.run.id;
  const undo =
    (name: string) =>
    async (done: StepOutcome<string>, body: StepContext): Promise<void> => {
      const place = { run, step: `${name}/undo` };
      const fails = FLAKY.has(place.step) && input.no % 2 === 0 && body.attempt === 1;
      if (fails) await effects.fail(body, place, new Error("not yet"));
      else await effects.perform(body, place, done.outcome === "completed" ? done.result : done.outcome);
    };
  const compensated = (name: string): Promise<string> =>
    ctx.step(name, (body) => effects.perform(body, { run, step: name }), { compensate: undo(name) });
  ctx.compensate("hold", async (body) => {
    await effects.perform(body, { run, step: "hold/undo" });
  });
  await compensated("reserve");
  await compensated("charge");
  await compensated("book");
  const decline = new FatalError("declined", { code: "declined", happened: false });
  await ctx.step(DECLINED, (body) => effects.fail(body, { run, step: DECLINED }, decline), {
    compensate: undo(DECLINED),
  });
  throw new Error("a saga never comes so far");
}

/** SQL of the application in the journal's transaction, between steps and beside one. */
async function posted(ctx: Context, step: Step, ground: Pick<Ground, "post">): Promise<unknown> {
  const quote = await step(ctx, "quote");
  const debit = await ground.post(ctx, "debit");
  const [mail, credit] = await Promise.all([step(ctx, "mail"), ground.post(ctx, "credit")]);
  return { quote, debit, mail, credit };
}

/** A signal that may come too late, or never. */
async function bell(ctx: Context, step: Step): Promise<unknown> {
  const open = await step(ctx, "open");
  const ring = await ctx.waitForSignal<string>("ring", { timeout: PATIENCE_MS }).catch((error: unknown) => {
    if (error instanceof SignalTimeoutError) return NOBODY;
    throw error;
  });
  return { open, ring, close: await step(ctx, "close") };
}

/** A step that must not happen twice: what nobody knows is taken for done. */
async function careful(ctx: Context, step: Step, effects: Effects): Promise<unknown> {
  const before = await step(ctx, "before");
  const once = await ctx.step(
    AT_MOST_ONCE,
    (body) => effects.perform(body, { run: ctx.run.id, step: AT_MOST_ONCE }),
    { inDoubt: async () => ({ result: IN_DOUBT }) },
  );
  return { before, once, after: await step(ctx, "after") };
}

/** The steps of each workflow that a transaction settles. */
export const POSTINGS: ReadonlySet<string> = new Set(["debit", "credit"]);
