/** What runs while its processes are killed. Each body has an effect that the ledger writes down. */
import {
  type Context,
  FatalError,
  type StepContext,
  type StepOutcome,
  type Workflow,
  workflow,
} from "@everstep/core";
import { transaction } from "../../src/sqlite/index.ts";
import type { Effects } from "./ledger-link.ts";

export interface Input {
  /** Half of the sagas have an undo that fails at first. */
  readonly no: number;
}

export type Name = "five" | "gather" | "saga" | "posted";
export const NAMES: readonly [Name, ...Name[]] = ["five", "gather", "saga", "posted"];

/** The application's own tables, beside those of everstep. No constraint: a row too many is to be seen. */
export const APPLICATION_SCHEMA = `
  CREATE TABLE postings (no INTEGER PRIMARY KEY, run TEXT NOT NULL, step TEXT NOT NULL, token TEXT NOT NULL) STRICT;
  CREATE TABLE requests (run TEXT PRIMARY KEY) STRICT`;

/** Steps whose first attempt fails. */
export const FLAKY: ReadonlySet<string> = new Set(["three", "reserve/undo"]);
/** The step that fails for good, and says that nothing happened. */
export const DECLINED = "decline";
/** Workflows whose steps follow one another. */
export const SEQUENCES: Readonly<Partial<Record<string, readonly string[]>>> = {
  five: ["one", "two", "three", "four", "five"],
  saga: ["reserve", "charge", "book", DECLINED],
};
/** How long `gather` sleeps. */
export const NAP_MS = 30;

const QUICKLY = { initialDelay: 5 };

export function workflowsOf(effects: Effects): Readonly<Record<Name, Workflow<Input>>> {
  const step = (ctx: Context, name: string): Promise<string> =>
    ctx.step(name, (step) => effects.perform(step, { run: ctx.run.id, step: name }));
  return {
    five: workflow({ name: "five", retry: QUICKLY }, (ctx, _input: Input) => five(ctx, effects, step)),
    gather: workflow({ name: "gather", retry: QUICKLY }, (ctx, _input: Input) => gather(ctx, step)),
    saga: workflow({ name: "saga", retry: QUICKLY }, (ctx, input: Input) => saga(ctx, effects, input)),
    posted: workflow({ name: "posted", retry: QUICKLY }, (ctx, _input: Input) => posted(ctx, step)),
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
  const three = await ctx.step("three", flaky);
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
async function posted(ctx: Context, step: Step): Promise<unknown> {
  const quote = await step(ctx, "quote");
  const debit = await post(ctx, "debit");
  const [mail, credit] = await Promise.all([step(ctx, "mail"), post(ctx, "credit")]);
  return { quote, debit, mail, credit };
}

function post(ctx: Context, name: string): Promise<string> {
  return transaction(ctx, name, (db): string => {
    const insert = db.prepare<[string, string], { token: string }>(
      "INSERT INTO postings (run, step, token) VALUES (?, ?, hex(randomblob(8))) RETURNING token",
    );
    return insert.get(ctx.run.id, name)?.token ?? "";
  });
}

/** The steps of each workflow that a transaction settles. */
export const POSTINGS: ReadonlySet<string> = new Set(["debit", "credit"]);
