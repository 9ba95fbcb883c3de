/** Runs a program as ordinary workflow code, on nothing but the public `ctx`, and tells what that code got to see. */
import {
  type Context,
  FatalError,
  SignalTimeoutError,
  type StepContext,
  type StepOptions,
  workflow,
  type Workflow,
} from "@everstep/core";
import {
  type Block,
  inRound,
  inside,
  isOdd,
  isParallel,
  isRepeat,
  Keys,
  nameAt,
  type Node,
  type ParallelNode,
  type Place,
  type PlainNode,
  type Program,
  type RepeatNode,
  ROOT,
  stepAt,
  type StepNode,
} from "./program.ts";

/** One execution of a body, as its code knows it. */
export interface Doing {
  readonly kind: "step" | "undo" | "lookUp";
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

/** What one simulated process does with the world. */
export interface Outside {
  /** Of each call of the handler, in whatever process: a number of its own. */
  beginPass(run: string): number;
  /** The one effect of a body; resolves with a token that is new each time, or never, when its process dies there. */
  perform(step: StepContext, doing: Doing): Promise<string>;
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

/** A workflow that runs the program it is given, in one process. */
export function interpreter(outside: Outside): Workflow<Program> {
  return workflow({ name: "program" }, async (ctx, program: Program) => {
    const pass = new Pass(ctx, outside);
    try {
      const value = await pass.block(program, { place: ROOT, last: "", lost: undefined });
      pass.see("returned");
      return value;
    } catch (error) {
      pass.see(`threw ${describeError(error)}`);
      throw error;
    }
  });
}

/** What code that is to be the same in every attempt may look at of an error. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error
    ? `${error.name}: ${cause.name}: ${cause.message}`
    : `${error.name}: ${error.message}`;
}

interface Here {
  readonly place: Place;
  /** The value of the last step before. */
  readonly last: string;
  /** Aborts when the branch of a race that this stands in has lost. */
  readonly lost: AbortSignal | undefined;
}

class Pass {
  readonly #ctx: Context;
  readonly #outside: Outside;
  readonly #run: string;
  readonly #number: number;
  readonly #keys = new Keys();
  #seen = 0;

  constructor(ctx: Context, outside: Outside) {
    this.#ctx = ctx;
    this.#outside = outside;
    this.#run = ctx.run.id;
    this.#number = outside.beginPass(this.#run);
  }

  see(line: string): void {
    this.#seen += 1;
    this.#outside.observe(this.#run, this.#number, line);
  }

  async block(block: Block, here: Here): Promise<readonly unknown[]> {
    const values: unknown[] = [];
    let { last } = here;
    for (const [index, node] of block.entries()) {
      const value = await this.#node(node, { ...here, last, place: inside(here.place, index) });
      if (node.do === "step") last = String(value);
      values.push(value);
    }
    return values;
  }

  #node(node: Node, here: Here): Promise<unknown> {
    if (isParallel(node)) return this.#parallel(node, here);
    if (isRepeat(node)) return this.#repeat(node, here);
    switch (node.do) {
      case "step":
        return this.#step(node, here);
      case "if":
        return isOdd(here.last) ? this.#within(node.odd, here, 0) : this.#within(node.even, here, 1);
      case "try":
        return this.#try(node, here);
      case "sleep":
        return this.#sleep(node.ms, here);
      case "sent":
        return this.#signal("sent", here);
      case "unsent":
        return this.#signal("unsent", here, node.ms);
      case "maybe":
        return this.#signal("maybe", here, node.ms).catch(lateIfTimedOut);
      case "offer":
        return this.#offer(node.ms, here);
      default:
        return this.#plain(node.do, here);
    }
  }

  #within(block: Block, here: Here, index: number): Promise<readonly unknown[]> {
    return this.block(block, { ...here, place: inside(here.place, index) });
  }

  async #try(node: { readonly body: Block; readonly caught: Block }, here: Here): Promise<unknown> {
    try {
      return await this.#within(node.body, here, 0);
    } catch (error) {
      return ["caught", describeError(error), await this.#within(node.caught, here, 1)];
    }
  }

  // ------------------------------------------------------------------------------------------ side by side

  #parallel(node: ParallelNode, here: Here): Promise<unknown> {
    if (node.do === "contest") return this.#contest(node, here);
    const branches = node.branches.map((branch, index) => this.#within(branch, here, index));
    switch (node.do) {
      case "all":
        return Promise.all(branches);
      case "settled":
        return Promise.allSettled(branches).then((outcomes) => outcomes.map(outcomeOf));
      case "race":
        return Promise.race(branches);
      case "any":
        return Promise.any(branches);
    }
  }

  async #contest(node: ParallelNode, here: Here): Promise<unknown> {
    const branches = node.branches.map((branch, index) => [
      String(index),
      (signal: AbortSignal) => this.#within(branch, { ...here, lost: signal }, index),
    ]);
    const { winner, value } = await this.#ctx.race(
      Object.fromEntries(branches) as Record<string, (signal: AbortSignal) => Promise<unknown>>,
    );
    if (here.lost?.aborted !== true) this.see(`won ${nameAt(here.place, "contest")} ${winner}`);
    return [winner, value];
  }

  async #repeat(node: RepeatNode, here: Here): Promise<unknown> {
    const round = (number: number): Promise<unknown> =>
      this.block(node.body, { ...here, place: inRound(inside(here.place, 0), node, number) });
    const numbers = Array.from({ length: node.times }, (_, number) => number);
    if (node.do === "each") return Promise.all(numbers.map(round));
    const values: unknown[] = [];
    for (const number of numbers) values.push(await round(number));
    return values;
  }

  // ------------------------------------------------------------------------------------------ asks

  /** What it asks, then what it gets. A branch that has lost asks for nothing and gets nothing: what ctx does then is no news. */
  async #ask<T>(here: Here, kind: string, key: string, ask: () => Promise<T>): Promise<T> {
    if (here.lost?.aborted !== true) this.see(`ask ${kind} ${key}`);
    try {
      const value = await ask();
      this.see(`got ${key} ${this.#now()} ${String(value)}`);
      return value;
    } catch (error) {
      if (here.lost?.aborted !== true) this.see(`got ${key} ${this.#now()} ${describeError(error)}`);
      throw error;
    }
  }

  #now(): number {
    return this.#ctx.now().getTime();
  }

  async #sleep(ms: number, here: Here): Promise<unknown> {
    const name = nameAt(here.place, "sleep");
    await this.#ask(here, "timer", this.#keys.next(name), () => this.#ctx.sleep(name, ms));
    return "slept";
  }

  #signal(what: string, here: Here, timeout?: number): Promise<unknown> {
    const name = nameAt(here.place, what);
    const options = timeout === undefined ? {} : { timeout };
    return this.#ask(here, "signal", this.#keys.next(name), () => this.#ctx.waitForSignal(name, options));
  }

  async #offer(ms: number, here: Here): Promise<unknown> {
    const name = nameAt(here.place, "offer");
    const wait = (lost: AbortSignal | undefined): Promise<unknown> =>
      this.#ask({ ...here, lost }, "signal", this.#keys.next(name), () => this.#ctx.waitForSignal(name));
    const { winner, value } = await this.#ctx.race({
      taken: wait,
      late: (lost) => this.#sleep(ms, { ...here, lost }),
    });
    return winner === "taken" ? value : wait(here.lost);
  }

  async #plain(what: PlainNode["do"], here: Here): Promise<unknown> {
    // These happen at once, so that a branch that has lost has to look for itself.
    if (what !== "pivot") here.lost?.throwIfAborted();
    const name = nameAt(here.place, what);
    switch (what) {
      case "pivot":
        await this.#ask(here, "pivot", this.#keys.next(name), () => this.#ctx.pivot(name));
        return "passed";
      case "patched":
        return this.#patched(name);
      case "tag":
        return this.#tag(this.#keys.next(name));
      case "draw":
        this.see(`drew ${this.#keys.next(name)} ${this.#ctx.random()} ${this.#ctx.uuid()} ${this.#now()}`);
        return "drawn";
      case "fail":
        throw new Error(`fail ${here.place.path}`);
      case "await-cancel":
        await this.#cancel(here);
        return this.#signal("never", here);
      default:
        return this.#cancel(here);
    }
  }

  #patched(name: string): boolean {
    const isPatched = this.#ctx.patched(name);
    this.see(`patched ${this.#keys.next(name)} ${isPatched}`);
    return isPatched;
  }

  #tag(name: string): string {
    this.#ctx.tag({ [name]: "set" });
    this.see(`tagged ${name}`);
    return "tagged";
  }

  #cancel(here: Here): Promise<string> {
    const { name, key } = stepAt(here.place);
    const own = this.#keys.ofStep({ name, key });
    const body = async (step: StepContext): Promise<string> => {
      const token = await this.#perform(step, "step", own);
      await this.#outside.cancel(this.#run);
      return this.#done(token);
    };
    return this.#ask(here, "step", own, () => this.#ctx.step(name, body, key === undefined ? {} : { key }));
  }

  // ------------------------------------------------------------------------------------------ steps

  async #step(node: StepNode, here: Here): Promise<string> {
    const { name, key } = stepAt(here.place);
    if (node.undo?.startsWith("bare") === true) this.#bareUndo(node, here);
    const own = this.#keys.ofStep({ name, key });
    const options: StepOptions<string> = {
      ...(key === undefined ? {} : { key }),
      ...this.#optionsOf(node, own),
    };
    return this.#ask(here, "step", own, () =>
      this.#ctx.step(name, (step) => this.#body(node, step, own), options),
    );
  }

  #optionsOf(node: StepNode, key: string): StepOptions<string> {
    const isFlaky = node.undo === "own-flaky";
    return {
      ...(node.does === "flaky" ? { retry: { initialDelay: 200 } } : {}),
      ...(node.does === "exhausted" ? { retry: { maxAttempts: 2, initialDelay: 200 } } : {}),
      ...(node.does === "timeout" ? { retry: false, timeout: 500 } : {}),
      ...(node.undo?.startsWith("own") === true
        ? {
            compensate: (done, step) =>
              this.#undo(step, key, isFlaky, done.outcome === "completed" ? done.result : "unknown"),
          }
        : {}),
      ...(node.looks === true ? { inDoubt: (step) => this.#lookUp(step, key) } : {}),
    };
  }

  #bareUndo(node: StepNode, here: Here): void {
    here.lost?.throwIfAborted();
    const name = nameAt(here.place, "undo");
    const key = this.#keys.next(name);
    this.see(`ask undo ${key}`);
    const isFlaky = node.undo === "bare-flaky";
    this.#ctx.compensate(name, (step) => this.#undo(step, key, isFlaky));
  }

  async #body(node: StepNode, step: StepContext, key: string): Promise<string> {
    const token = await this.#perform(step, "step", key);
    switch (node.does) {
      case "ok":
        return this.#done(token);
      case "flaky":
        return this.#outside.failsNow(this.#run, key)
          ? this.#throws(token, new Error(`flaky ${token}`))
          : this.#done(token);
      case "fatal":
        return this.#throws(token, new FatalError(`fatal ${token}`));
      case "declined":
        return this.#throws(token, new FatalError(`declined ${token}`, { happened: false }));
      case "exhausted":
        return this.#throws(token, new Error(`exhausted ${token}`));
      default:
        await aborted(step.signal);
        return this.#throws(token, step.signal.reason as Error);
    }
  }

  async #undo(step: StepContext, key: string, isFlaky: boolean, told?: string): Promise<void> {
    const token = await this.#perform(step, "undo", key, told);
    if (isFlaky && this.#outside.failsNow(this.#run, `${key}/undo`))
      this.#throws(token, new Error(`flaky ${token}`));
    this.#done(token);
  }

  async #lookUp(step: StepContext, key: string): Promise<{ readonly result: string } | "rerun"> {
    this.#done(await this.#perform(step, "lookUp", key));
    const found = this.#outside.find(step.idempotencyKey);
    return found === undefined ? "rerun" : { result: found };
  }

  #perform(step: StepContext, kind: Doing["kind"], key: string, told?: string): Promise<string> {
    const doing = { kind, key, run: this.#run, pass: this.#number, seen: this.#seen };
    return this.#outside.perform(step, told === undefined ? doing : { ...doing, told });
  }

  #done(token: string): string {
    this.#outside.ended(token, "returned");
    return token;
  }

  #throws(token: string, error: Error): never {
    this.#outside.ended(token, "threw");
    throw error;
  }
}

function outcomeOf(outcome: PromiseSettledResult<unknown>): unknown {
  return outcome.status === "fulfilled" ? outcome.value : ["failed", describeError(outcome.reason)];
}

function lateIfTimedOut(error: unknown): string {
  if (error instanceof SignalTimeoutError) return "late";
  throw error;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
