/** What the workloads run. A step's body returns a JSON object of about 100 bytes and does nothing else. */
import { type Context, type StepContext, type Workflow, workflow } from "@everstep/core";

export interface Sized {
  readonly steps: number;
}

export const FIVE_STEPS = ["reserve", "charge", "confirm", "trigger", "result"] as const;

/** Called when a body begins; what it returns is awaited. */
export type OnStep = (run: string, step: string, body: StepContext) => Promise<void> | void;

const PAD = "x".repeat(40);
let bodies = 0;

function output(step: string): object {
  bodies += 1;
  return { step, seq: bodies, ok: true, at: Date.now(), pad: PAD };
}

function run(ctx: Context, step: string, onStep?: OnStep): Promise<object> {
  return ctx.step(step, async (body) => {
    if (onStep !== undefined) await onStep(ctx.run.id, step, body);
    return output(step);
  });
}

export const order: Workflow<null, object> = orderWith();

export function orderWith(onStep?: OnStep): Workflow<null, object> {
  return workflow({ name: "order" }, async (ctx, _input: null) => {
    let last: object = {};
    for (const step of FIVE_STEPS) last = await run(ctx, step, onStep);
    return last;
  });
}

export const sequence: Workflow<Sized, number> = workflow(
  { name: "sequence" },
  async (ctx, { steps }: Sized) => {
    for (let no = 0; no < steps; no++) await run(ctx, `s${no}`);
    return steps;
  },
);

export const single: Workflow<null, object> = singleWith();

export function singleWith(onStep?: OnStep): Workflow<null, object> {
  return workflow({ name: "single" }, (ctx, _input: null) => run(ctx, "work", onStep));
}

/** Many steps, then one that `onNext` is told of. */
export function longWith(name: string, onNext: OnStep): Workflow<Sized, number> {
  return workflow({ name }, async (ctx, { steps }: Sized) => {
    for (let no = 0; no < steps; no++) await run(ctx, `s${no}`);
    await run(ctx, "next", onNext);
    return steps;
  });
}

export const sleeper: Workflow<null, null> = workflow({ name: "sleeper" }, async (ctx, _input: null) => {
  await ctx.sleep("an hour", "1h");
  return null;
});
