/** Small workflows, enumerated: every sequence of these parts, what it must come to, and its code. */
import { type Context, FatalError, type StepContext, workflow, type Workflow } from "../../src/index.ts";

/**
 * `ok` a step · `flaky` a step that fails once · `undo` a step with compensation · `bare` a compensation, then a step ·
 * `pair` two steps side by side, both with compensation · `sleep` · `signal` · `caught` a fatal step in try/catch ·
 * `race` a step beats a timer · `late` a timer beats a step that ends when it is aborted · `fatal` a step that fails the run.
 */
const PARTS = [
  "ok",
  "flaky",
  "undo",
  "bare",
  "pair",
  "sleep",
  "signal",
  "caught",
  "race",
  "late",
  "fatal",
] as const;

type Part = (typeof PARTS)[number];
export type Program = readonly Part[];

/** All programs of exactly so many parts. Nothing comes after `fatal`: that would be a shorter program. */
export function programsOf(length: number): Program[] {
  if (length === 0) return [[]];
  return programsOf(length - 1)
    .filter((program) => program.at(-1) !== "fatal")
    .flatMap((program) => PARTS.map((part) => [...program, part]));
}

export interface Expectation {
  readonly status: "completed" | "failed";
  readonly result: readonly string[] | undefined;
  /** Names of the effects that happen, each once when repetitions with one idempotency key count as one. */
  readonly effects: readonly string[];
  /** Names of the undos, in their order. */
  readonly undone: readonly string[];
}

/** The oracle: written by hand, knows nothing of the engine. */
export function expectationOf(program: Program): Expectation {
  const result: string[] = [];
  const effects: string[] = [];
  const undos: string[] = [];
  for (const [index, part] of program.entries()) {
    const [own, more, undo] = ORACLE[part](`${part}-${index}`);
    result.push(...own);
    effects.push(...more);
    undos.unshift(...undo);
  }
  const failed = program.at(-1) === "fatal";
  return {
    status: failed ? "failed" : "completed",
    result: failed ? undefined : result,
    effects: failed ? [...effects, ...undos] : effects,
    undone: failed ? undos : [],
  };
}

type Told = readonly [result: readonly string[], effects: readonly string[], undos: readonly string[]];

const ORACLE: Readonly<Record<Part, (name: string) => Told>> = {
  ok: (name) => [[name], [name], []],
  flaky: (name) => [[name], [name], []],
  undo: (name) => [[name], [name], [`undo ${name}`]],
  bare: (name) => [[name], [name], [`undo ${name}`]],
  pair: (name) => [
    [`${name}a`, `${name}b`],
    [`${name}a`, `${name}b`],
    [`undo ${name}b`, `undo ${name}a`],
  ],
  sleep: (name) => [[name], [], []],
  signal: (name) => [[`told ${name}`], [], []],
  caught: (name) => [[`caught ${name}`], [], []],
  race: (name) => [[`won ${name}`], [name], []],
  late: (name) => [[`lost ${name}`], [], []],
  fatal: () => [[], [], []],
};

/** What the code of a program does to the world. */
export interface Outside {
  /** The one effect of a body or an undo; may never return, when its process dies. */
  effect(name: string, step: StepContext): Promise<void>;
  /** True the first time, in whatever process. */
  failsNow(name: string): boolean;
}

type Act = (ctx: Context, name: string, outside: Outside) => Promise<readonly string[]>;

const step = (ctx: Context, name: string, outside: Outside, undo = false): Promise<string> =>
  ctx.step(
    name,
    async (own) => {
      await outside.effect(name, own);
      return name;
    },
    undo ? { compensate: (_done, own) => outside.effect(`undo ${name}`, own) } : {},
  );

const declined = (ctx: Context, name: string): Promise<never> =>
  ctx.step(name, () => {
    throw new FatalError(`declined ${name}`);
  });

const ACTS: Readonly<Record<Part, Act>> = {
  ok: async (ctx, name, outside) => [await step(ctx, name, outside)],
  undo: async (ctx, name, outside) => [await step(ctx, name, outside, true)],
  bare: async (ctx, name, outside) => {
    ctx.compensate(`undo ${name}`, (own) => outside.effect(`undo ${name}`, own));
    return [await step(ctx, name, outside)];
  },
  flaky: async (ctx, name, outside) => [
    await ctx.step(
      name,
      async (own) => {
        if (outside.failsNow(name)) throw new Error("try again");
        await outside.effect(name, own);
        return name;
      },
      { retry: { initialDelay: "200ms" } },
    ),
  ],
  pair: (ctx, name, outside) =>
    Promise.all([step(ctx, `${name}a`, outside, true), step(ctx, `${name}b`, outside, true)]),
  sleep: async (ctx, name) => {
    await ctx.sleep(name, "3s");
    return [name];
  },
  signal: async (ctx, name) => [`told ${await ctx.waitForSignal<string>(name)}`],
  caught: async (ctx, name) => {
    try {
      return [await declined(ctx, name)];
    } catch {
      return [`caught ${name}`];
    }
  },
  race: async (ctx, name, outside) => {
    const { winner } = await ctx.race({
      won: () => step(ctx, name, outside),
      lost: () => ctx.sleep(`${name} timer`, "1h"),
    });
    return [`${winner} ${name}`];
  },
  late: async (ctx, name) => {
    const { winner } = await ctx.race({
      won: () => ctx.step(name, untilAborted),
      lost: () => ctx.sleep(`${name} timer`, "200ms"),
    });
    return [`${winner} ${name}`];
  },
  fatal: (ctx, name) => declined(ctx, name),
};

function untilAborted({ signal }: StepContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** A workflow that runs the program it is given, in one process. */
export function interpreter(outside: Outside): Workflow<Program, readonly string[]> {
  return workflow({ name: "program" }, async (ctx, program: Program) => {
    const results: string[] = [];
    for (const [index, part] of program.entries()) {
      results.push(...(await ACTS[part](ctx, `${part}-${index}`, outside)));
    }
    return results;
  });
}
