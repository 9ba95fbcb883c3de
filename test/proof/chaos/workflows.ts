/** What runs while its processes are killed. */
import {
  type Context,
  FatalError,
  RunEndedError,
  SignalTimeoutError,
  type StepContext,
  type Workflow,
  workflow,
} from "@everstep/core";
import { Bodies, notYet } from "./bodies.ts";
import { CANARY } from "./canary.ts";
import type { Ground } from "./ground.ts";
import type { Effect, Effects } from "./ledger-link.ts";
import type { Till } from "./payments.ts";
import {
  AT_MOST_ONCE,
  BORN,
  ECHOED,
  EXHAUSTED,
  IN_DOUBT,
  type Input,
  isToFail,
  LEFT_IN_DOUBT,
  type Name,
  NAP_MS,
  NOBODY,
  PATIENCE_MS,
  REGRETTED,
  SHOUTS,
} from "./steps.ts";

const QUICKLY = { initialDelay: 5 };
/** Long enough for processes to be killed and frozen meanwhile: a process that wakes up must not think that it is its turn. */
const LATER = { initialDelay: 600 };
/** As often as it fails before somebody looks at it. */
const EXHAUSTED_AFTER = 2;

export type Workflows = Readonly<Record<Name, Workflow<Input>>>;

export interface World {
  readonly effects: Effects;
  readonly ground: Pick<Ground, "post">;
  readonly till: Till;
}

type Handler = (ctx: Context, bodies: Bodies, input: Input) => Promise<unknown>;

export function workflowsOf({ effects, ground, till }: World): Workflows {
  const define = (name: Name, handler: Handler, on?: string): Workflow<Input> =>
    workflow({ name, retry: QUICKLY, ...(on === undefined ? {} : { on }) }, (ctx, input: Input) =>
      handler(ctx, new Bodies(ctx, effects), input),
    );
  return {
    five: define("five", five),
    gather: define("gather", gather),
    saga: define("saga", saga),
    posted: define("posted", (ctx, bodies) => posted(ctx, bodies, ground)),
    bell: define("bell", bell),
    careful: define("careful", careful),
    crowd: define("crowd", crowd),
    brittle: define("brittle", brittle),
    grave: define("grave", grave),
    ship: define("ship", ship),
    paid: define("paid", (ctx, bodies, input) => paid(ctx, bodies, { input, till })),
    family: define("family", family),
    echo: define("echo", echo, BORN),
    regret: define("regret", regret),
  };
}

const failsFirst = ({ attempt }: StepContext): Effect => (attempt === 1 ? { fault: notYet } : {});

/** Five sequential steps; the first attempt of the third fails. */
async function five(ctx: Context, bodies: Bodies): Promise<unknown> {
  const one = await bodies.step("one");
  const two = await bodies.step("two");
  const three = await ctx.step("three", bodies.of("three", failsFirst), { retry: LATER });
  const four = await bodies.step("four");
  return { one, two, three, four, five: await bodies.step("five") };
}

/** Parallel steps, races that a timer, a step and a signal win, and a step after all of them. */
async function gather(ctx: Context, bodies: Bodies): Promise<unknown> {
  const [a, b, c] = await Promise.all([bodies.step("a"), bodies.step("b"), bodies.step("c")]);
  await ctx.race({
    nap: (signal) => ctx.sleep("nap", NAP_MS, { signal }),
    never: (signal) => ctx.waitForSignal("never", { signal }),
  });
  await ctx.race({ left: () => bodies.step("left"), right: () => bodies.step("right") });
  const { value: approval } = await ctx.race({
    approval: (signal) => ctx.waitForSignal("approval", { signal }),
    late: (signal) => ctx.sleep("late", "1h", { signal }),
  });
  return { a, b, c, approval, last: await bodies.step("last") };
}

/** Undone in the end; half of them have an undo whose first attempt fails. */
async function saga(ctx: Context, bodies: Bodies, { no }: Input): Promise<unknown> {
  ctx.compensate("hold", (body) => bodies.undo("hold")(undefined, body));
  const undoReserve = bodies.undo("reserve", no % 2 === 0 ? failsFirst : undefined);
  await ctx.step("reserve", bodies.of("reserve"), { compensate: undoReserve });
  await ctx.step("charge", bodies.of("charge"), { compensate: bodies.undo("charge") });
  await ctx.step("book", bodies.of("book"), { compensate: bodies.undo("book") });
  await bodies.decline();
  throw new Error("a saga never comes so far");
}

/** SQL of the application in the journal's transaction, between steps and beside one. */
async function posted(ctx: Context, bodies: Bodies, ground: Pick<Ground, "post">): Promise<unknown> {
  const quote = await bodies.step("quote");
  const debit = await ground.post(ctx, "debit");
  const [mail, credit] = await Promise.all([bodies.step("mail"), ground.post(ctx, "credit")]);
  return { quote, debit, mail, credit };
}

/** A signal that may come too late, or never. */
async function bell(ctx: Context, bodies: Bodies): Promise<unknown> {
  const open = await bodies.step("open");
  const ring = await ctx.waitForSignal<string>("ring", { timeout: PATIENCE_MS }).catch((error: unknown) => {
    if (error instanceof SignalTimeoutError) return NOBODY;
    throw error;
  });
  return { open, ring, close: await bodies.step("close") };
}

/** A step that must not happen twice: what nobody knows is taken for done. */
async function careful(ctx: Context, bodies: Bodies): Promise<unknown> {
  const before = await bodies.step("before");
  const once = await ctx.step(AT_MOST_ONCE, bodies.of(AT_MOST_ONCE), {
    inDoubt: async () => ({ result: IN_DOUBT }),
  });
  return { before, once, after: await bodies.step("after") };
}

/** Many signals of one name, which come in any order and any number. */
async function crowd(ctx: Context, bodies: Bodies): Promise<unknown> {
  const heard: Record<string, unknown> = {};
  for (let no = 1; no <= SHOUTS; no++)
    heard[no === 1 ? "shout" : `shout#${no}`] = await ctx.waitForSignal("shout");
  return { ...heard, disperse: await bodies.step("disperse") };
}

/** A step that fails until somebody has looked at it. */
async function brittle(ctx: Context, bodies: Bodies): Promise<unknown> {
  const shape = await bodies.step("shape");
  const untilMended = (begins: number): Error | undefined =>
    begins <= EXHAUSTED_AFTER ? new Error(`broken, ${CANARY}`) : undefined;
  const crack = await ctx.step(
    EXHAUSTED,
    bodies.of(EXHAUSTED, () => ({ fault: untilMended })),
    { retry: { ...QUICKLY, maxAttempts: EXHAUSTED_AFTER, onExhausted: "stick" } },
  );
  return { shape, crack, polish: await bodies.step("polish") };
}

/** A step that only a person may let happen again. */
async function grave(ctx: Context, bodies: Bodies): Promise<unknown> {
  const dig = await bodies.step("dig");
  const bury = await ctx.step(LEFT_IN_DOUBT, bodies.of(LEFT_IN_DOUBT), { inDoubt: "stick" });
  return { dig, bury, mourn: await bodies.step("mourn") };
}

/** A point of no return: what comes before it is not undone. */
async function ship(ctx: Context, bodies: Bodies, input: Input): Promise<unknown> {
  const pack = await ctx.step("pack", bodies.of("pack"), { compensate: bodies.undo("pack") });
  await ctx.pivot("left the house");
  const label = await ctx.step("label", bodies.of("label"), { compensate: bodies.undo("label") });
  if (isToFail("ship", input)) await bodies.decline();
  return { pack, label };
}

/** A charge, which is given back when the run fails afterwards. */
async function paid(
  ctx: Context,
  bodies: Bodies,
  { input, till }: { readonly input: Input; readonly till: Till },
): Promise<unknown> {
  const { id } = ctx.run;
  const authorize = await ctx.step(
    "authorize",
    bodies.of("authorize", (body) => ({ act: () => till.open(id, body) })),
  );
  const giveBack = (body: StepContext): Effect => ({ act: () => till.giveBack(authorize, body) });
  const capture = await ctx.step(
    "capture",
    bodies.of("capture", (body) => ({ act: () => till.charge(authorize, body) })),
    { compensate: bodies.undo("capture", giveBack) },
  );
  const receipt = await bodies.step("receipt");
  if (isToFail("paid", input)) await bodies.decline();
  return { authorize, capture, receipt };
}

/** A child, which is undone when the run fails; an event, whose listener answers with a signal; and a run that outlives it. */
async function family(ctx: Context, bodies: Bodies, input: Input): Promise<unknown> {
  const { no, secret } = input;
  const knock = await bodies.step("knock");
  const child = await ctx.call(
    "five",
    { no, secret },
    {
      name: "child",
      compensate: (_done, body) => bodies.undo("child")(undefined, body),
    },
  );
  await ctx.emit(BORN, { no, secret, parent: ctx.run.id });
  const echoed = await ctx.waitForSignal<string>(ECHOED);
  await ctx.start("careful", { no, secret }, { name: "heir" });
  const leave = await bodies.step("leave");
  if (isToFail("family", input)) await bodies.decline();
  return { knock, child, echoed, leave };
}

/** Tells the run that emitted the event; that may have ended meanwhile. */
async function echo(ctx: Context, bodies: Bodies, { parent = "" }: Input): Promise<unknown> {
  const hear = await bodies.step("hear");
  try {
    await ctx.signal(parent, ECHOED, `echo of ${parent}, ${CANARY}`);
  } catch (error) {
    if (!(error instanceof RunEndedError)) throw error;
  }
  return { hear };
}

/** Fails, and goes on when a person has it tried again. */
async function regret(ctx: Context, bodies: Bodies): Promise<unknown> {
  const ponder = await bodies.step("ponder");
  const onlyOnce = (begins: number): Error | undefined =>
    begins === 1 ? new FatalError(`regretted, ${CANARY}`, { happened: false }) : undefined;
  const act = await ctx.step(
    REGRETTED,
    bodies.of(REGRETTED, () => ({ fault: onlyOnce })),
  );
  return { ponder, act, rest: await bodies.step("rest") };
}
