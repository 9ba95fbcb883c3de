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

export const fanOut: Workflow<{ readonly children: number }, number> = workflow(
  { name: "fan-out" },
  async (ctx, { children }: { readonly children: number }) => {
    const results = await Promise.all(Array.from({ length: children }, () => ctx.call(single, null)));
    return results.length;
  },
);

/** Sleeps until an instant, and tells of it when its step after that begins. */
export function sleeperUntil(wentOn: (at: number) => void): Workflow<{ readonly at: number }, object> {
  return workflow({ name: "sleeper-until" }, async (ctx, { at }: { readonly at: number }) => {
    await ctx.sleepUntil("the instant", new Date(at));
    return run(ctx, "work", () => wentOn(at));
  });
}

export function waiterFor(taken: () => void): Workflow<null, null> {
  return workflow({ name: "waiter" }, async (ctx, _input: null) => {
    await ctx.waitForSignal("go");
    taken();
    return null;
  });
}

/** Takes signals one after the other. */
export const collector: Workflow<{ readonly signals: number }, number> = workflow(
  { name: "collector" },
  async (ctx, { signals }: { readonly signals: number }) => {
    for (let no = 0; no < signals; no++) await ctx.waitForSignal("go");
    return signals;
  },
);

/** Three workflows that listen to the same event. */
export function listenersTo(event: string, onStep: OnStep): readonly Workflow<unknown, object>[] {
  return ["one", "two", "three"].map((name) =>
    workflow({ name: `listener-${name}`, on: event }, (ctx, _payload: unknown) => run(ctx, "work", onStep)),
  );
}
