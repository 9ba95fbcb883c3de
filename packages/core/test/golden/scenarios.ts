/**
 * Workflows whose journals are kept for every release: each kind of entry, key, value and error is in one of them. A journal
 * that a release has written has to replay in all later ones, so these workflows are never changed: what is new comes as a
 * new scenario.
 */
import { type AnyWorkflow, type Context, FatalError, type StepContext, workflow } from "../../src/index.ts";

export interface Outside {
  /** A body began. */
  began(step: StepContext): void;
  /** True once a person has mended what the run was stuck for. */
  mended(): boolean;
}

export interface Scenario {
  readonly workflow: (outside: Outside) => AnyWorkflow;
  readonly input: unknown;
  /** What is sent to the run once it waits for the signal of that key. */
  readonly signals?: Readonly<Record<string, unknown>>;
  /** The run is canceled once it waits for the signal of this key. */
  readonly canceledAt?: string;
  /** Workflows that it calls, starts, and emits events for. */
  readonly others?: () => readonly AnyWorkflow[];
  /** Stuck, it is not resumed, but goes back to before this step. */
  readonly rewoundTo?: string;
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : "no code";

/** Everything that goes forward, and ends well. */
async function order(ctx: Context, outside: Outside, items: readonly string[]): Promise<unknown> {
  const body =
    <T>(value: T) =>
    (step: StepContext): T => {
      outside.began(step);
      return value;
    };
  const first = [ctx.uuid(), ctx.random(), ctx.now().toISOString()];
  ctx.tag({ city: "Lisbon" });
  const seat = await ctx.step("reserve", body({ seat: 7 }), { compensate: () => {} });
  const quotes = await Promise.all(items.map((item) => ctx.step("quote", body(`${item}: 9`), { key: item })));
  for (let n = 0; n < 3; n++) await ctx.step("again", body(n));
  const taxed = ctx.patched("tax") ? await ctx.step("tax", body(19)) : 0;
  const flaky = await ctx.step(
    "flaky",
    (step) => {
      outside.began(step);
      if (step.attempt < 3) throw new Error(`attempt ${step.attempt}`);
      return step.attempt;
    },
    { retry: { initialDelay: "10s", factor: 1 } },
  );
  await ctx.sleep("nap", "1m");
  const race = await ctx.race({
    paid: () => ctx.waitForSignal("paid"),
    late: () => ctx.sleep("patience", "2d"),
  });
  const never = await ctx.waitForSignal("never", { timeout: "30s" }).catch(codeOf);
  const declined = await ctx
    .step("declined", (step) => {
      outside.began(step);
      throw new FatalError("no such card", { code: "card", details: { at: new Date(0), cents: 10n } });
    })
    .catch(codeOf);
  await ctx.pivot("shipped");
  await ctx.step("mail", body(undefined), { was: ["letter"] });
  return { first, seat, quotes, taxed, flaky, race, never, declined };
}

/** Values beyond JSON, and what can't be stored. */
async function values(ctx: Context, outside: Outside): Promise<unknown> {
  const odd = new Map<unknown, unknown>([
    ["big", 12345678901234567890n],
    ["numbers", [Number.NaN, Number.POSITIVE_INFINITY, -0]],
    ["dates", [new Date(0), new Date(Number.NaN)]],
    ["set", new Set([1, "two", undefined])],
    ["pattern", /a+b/giu],
    ["bytes", new Uint8Array([1, 2, 255])],
    ["text", "\u0000 \ud800 \u2028 😀"],
    ["marked", { $devalue: "not ours" }],
  ]);
  const stored = await ctx.step("odd", (step) => {
    outside.began(step);
    return odd;
  });
  const refused = await ctx
    .step("function", (step) => {
      outside.began(step);
      return () => 1;
    })
    .catch((error: unknown) => codeOf((error as Error).cause));
  await ctx.sleepUntil("soon", new Date(ctx.now().getTime() + 60_000));
  return [stored, refused];
}

/** Fails after a pivot, and is undone: steps, side by side, and one that the code registered without any. */
async function trip(ctx: Context, outside: Outside): Promise<void> {
  const step = (name: string): Promise<string> =>
    ctx.step(
      name,
      (own) => {
        outside.began(own);
        return `${name} booked`;
      },
      {
        compensate: (_done, own) => {
          outside.began(own);
          if (name === "hotel" && own.attempt < 3) throw new Error("the hotel does not answer");
        },
      },
    );
  await step("insurance");
  await ctx.pivot("paid");
  await step("flight");
  ctx.compensate("voucher", (own) => outside.began(own));
  await Promise.all([step("hotel"), step("car")]);
  await ctx.step(
    "visa",
    (own) => {
      outside.began(own);
      throw new FatalError("denied", { happened: false });
    },
    { compensate: () => {} },
  );
}

/** Canceled while it waits. */
async function parcel(ctx: Context, outside: Outside): Promise<void> {
  await ctx.step("pack", (step) => outside.began(step), { compensate: (_done, step) => outside.began(step) });
  await ctx.waitForSignal("pickup");
}

/** Stuck until a person has mended it, and resumed. */
async function repair(ctx: Context, outside: Outside): Promise<unknown> {
  return ctx.step(
    "weld",
    (step) => {
      outside.began(step);
      if (!outside.mended()) throw new Error("no gas");
      return "welded";
    },
    { retry: { maxAttempts: 2, initialDelay: "1s", onExhausted: "stick" } },
  );
}

const child = workflow({ name: "child" }, async (ctx, asked: { readonly fails: boolean }) => {
  if (asked.fails) throw new FatalError("no such child", { code: "child" });
  return ctx.step("work", () => new Date(0));
});

const sleeper = workflow({ name: "sleeper" }, (ctx) => ctx.sleep("long", "30d"));

const listener = workflow(
  { name: "listener", on: "family:met" },
  async (ctx, met: { readonly by: string }) => {
    await ctx.signal(met.by, "welcome", { from: ctx.run.workflow });
  },
);

/** Children that complete, fail and are given up; a run of its own, an event, and signals that arrive and that do not. */
async function family(ctx: Context): Promise<unknown> {
  const first = await ctx.call(child, { fails: false }, { compensate: () => {} });
  const failed = await ctx.call(child, { fails: true }).catch(codeOf);
  const { winner } = await ctx.race({
    late: () => ctx.call(sleeper, undefined),
    soon: () => ctx.sleep("patience", "10s"),
  });
  const { id } = await ctx.start("child", { fails: false }, { name: "own/run" });
  await ctx.emit("family:met", { by: ctx.run.id });
  const welcome = await ctx.waitForSignal("welcome");
  await ctx.signal(ctx.run.id, "note", 7n);
  const note = await ctx.waitForSignal("note");
  const nobody = await ctx.signal("nobody", "note").catch(codeOf);
  return { first, failed, winner, id, welcome, note, nobody };
}

/** Stuck, and taken back to its beginning by a person. */
async function again(ctx: Context, outside: Outside): Promise<unknown> {
  const cut = await ctx.step("cut", (step) => {
    outside.began(step);
    return "cut";
  });
  ctx.patched("oil");
  await ctx.sleep("cool", "1m");
  const weld = await ctx.step(
    "weld",
    (step) => {
      outside.began(step);
      if (!outside.mended()) throw new Error("no gas");
      return "welded";
    },
    { retry: { maxAttempts: 2, initialDelay: "1s", onExhausted: "stick" } },
  );
  return { cut, weld };
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  order: {
    workflow: (outside) =>
      workflow({ name: "order" }, (ctx, items: readonly string[]) => order(ctx, outside, items)),
    input: ["tea", "cups"],
    signals: { paid: { cents: 1999 } },
  },
  values: {
    workflow: (outside) => workflow({ name: "values" }, (ctx) => values(ctx, outside)),
    input: undefined,
  },
  trip: {
    workflow: (outside) => workflow({ name: "trip" }, (ctx) => trip(ctx, outside)),
    input: { to: "Porto" },
  },
  parcel: {
    workflow: (outside) => workflow({ name: "parcel" }, (ctx) => parcel(ctx, outside)),
    input: 42,
    canceledAt: "pickup",
  },
  repair: { workflow: (outside) => workflow({ name: "repair" }, (ctx) => repair(ctx, outside)), input: null },
  family: {
    workflow: () => workflow({ name: "family" }, family),
    input: null,
    others: () => [child, sleeper, listener],
  },
  again: {
    workflow: (outside) => workflow({ name: "again" }, (ctx) => again(ctx, outside)),
    input: null,
    rewoundTo: "cut",
  },
};
