/** Runs a program as ordinary workflow code, on nothing but the public `ctx`, and tells what that code got to see. */
import {
  type Context,
  SignalTimeoutError,
  type StepContext,
  type StepOptions,
  transactStep,
  workflow,
  type Workflow,
  type WorkflowOptions,
} from "@everstep/core";
import { OtherRuns } from "./other-runs.ts";
import type { Outside } from "./outside.ts";
import {
  type Block,
  inRound,
  inside,
  isOdd,
  isParallel,
  isRepeat,
  type Keys,
  LANES,
  LISTENERS,
  nameAt,
  type Node,
  type ParallelNode,
  type PlainNode,
  type Program,
  type RepeatNode,
  ROOT,
  stepAt,
  type StepNode,
} from "./program.ts";
import { stepBody, stepOptions, transactionBody } from "./step-bodies.ts";
import { describeError, type Here, WatchedPass } from "./watched-pass.ts";

const PROGRAM = "program";

/** Workflows that run the program they are given, in one process: `program`, and those that listen to each event. */
export function interpreters(outside: Outside): readonly Workflow<Program>[] {
  const interpreted = (options: WorkflowOptions<Program, unknown>): Workflow<Program> =>
    workflow(options, (ctx, program) => interpret(ctx, program, outside));
  const listening = Object.entries(LISTENERS).flatMap(([event, many]) =>
    Array.from({ length: many }, (_, index) =>
      interpreted({ name: `${event}-${index}`, on: event, input: ANYTHING }),
    ),
  );
  return [interpreted({ name: PROGRAM }), ...listening];
}

/** For whoever only starts and calls runs. */
export const DEFINITION: Workflow<Program> = workflow({ name: PROGRAM }, () => {
  throw new Error("nothing runs here");
});

/** A schema that lets everything through: what an event brings is journaled as it says. */
const ANYTHING: NonNullable<WorkflowOptions<Program, unknown>["input"]> = {
  "~standard": { version: 1, vendor: "proof", validate: (value) => ({ value: value as Program }) },
};

async function interpret(ctx: Context, program: Program, outside: Outside): Promise<readonly unknown[]> {
  const watched = new WatchedPass(ctx, outside);
  try {
    const value = await new Pass(watched).block(program, { place: ROOT, last: "", lost: undefined });
    watched.see("returned");
    return value;
  } catch (error) {
    watched.see(`threw ${describeError(error)}`);
    throw error;
  }
}

/** These are asked for, and end with the branch that they stand in by themselves. */
const WAITS: ReadonlySet<PlainNode["do"]> = new Set(["pivot", "tell", "tell-nobody"]);

class Pass {
  readonly #pass: WatchedPass;
  readonly #ctx: Context;
  readonly #keys: Keys;
  readonly #others: OtherRuns;

  constructor(pass: WatchedPass) {
    this.#pass = pass;
    this.#ctx = pass.ctx;
    this.#keys = pass.keys;
    this.#others = new OtherRuns(pass, DEFINITION);
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
      case "call":
      case "start":
        return this.#others.child(node, here);
      case "emit":
        return this.#others.emit(node, here);
      case "told":
        return this.#pass
          .ask(here, "signal", this.#keys.next(node.signal), () =>
            this.#ctx.waitForSignal(node.signal, { timeout: node.ms }),
          )
          .catch(lateIfTimedOut);
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
    if (here.lost?.aborted !== true) this.#pass.see(`won ${nameAt(here.place, "contest")} ${winner}`);
    return [winner, value];
  }

  async #repeat(node: RepeatNode, here: Here): Promise<unknown> {
    const round = (number: number): Promise<unknown> =>
      this.block(node.body, { ...here, place: inRound(inside(here.place, 0), node, number) });
    const numbers = Array.from({ length: node.times }, (_, number) => number);
    if (node.do === "each") return Promise.all(numbers.map(round));
    if (node.do === "map") return this.#ctx.map(numbers, round, { concurrency: LANES });
    const values: unknown[] = [];
    for (const number of numbers) values.push(await round(number));
    return values;
  }

  // ------------------------------------------------------------------------------------------ asks

  async #sleep(ms: number, here: Here): Promise<unknown> {
    const name = nameAt(here.place, "sleep");
    await this.#pass.ask(here, "timer", this.#keys.next(name), () => this.#ctx.sleep(name, ms));
    return "slept";
  }

  #signal(what: string, here: Here, timeout?: number): Promise<unknown> {
    const name = nameAt(here.place, what);
    const options = timeout === undefined ? {} : { timeout };
    return this.#pass.ask(here, "signal", this.#keys.next(name), () =>
      this.#ctx.waitForSignal(name, options),
    );
  }

  async #offer(ms: number, here: Here): Promise<unknown> {
    const name = nameAt(here.place, "offer");
    const wait = (lost: AbortSignal | undefined): Promise<unknown> =>
      this.#pass.ask({ ...here, lost }, "signal", this.#keys.next(name), () => this.#ctx.waitForSignal(name));
    const { winner, value } = await this.#ctx.race({
      taken: wait,
      late: (lost) => this.#sleep(ms, { ...here, lost }),
    });
    return winner === "taken" ? value : wait(here.lost);
  }

  async #plain(what: PlainNode["do"], here: Here): Promise<unknown> {
    // These happen at once, so that a branch that has lost has to look for itself.
    if (!WAITS.has(what)) here.lost?.throwIfAborted();
    const name = nameAt(here.place, what);
    switch (what) {
      case "pivot":
        await this.#pass.ask(here, "pivot", this.#keys.next(name), () => this.#ctx.pivot(name));
        return "passed";
      case "patched":
        return this.#patched(name);
      case "tag":
        return this.#tag(this.#keys.next(name));
      case "draw":
        this.#pass.see(
          `drew ${this.#keys.next(name)} ${this.#ctx.random()} ${this.#ctx.uuid()} ${this.#pass.now()}`,
        );
        return "drawn";
      case "fail":
        throw new Error(`fail ${here.place.path}`);
      case "tell":
        return this.#others.tellItself(here);
      case "tell-nobody":
        return this.#others.tellNobody(here);
      case "await-cancel":
        await this.#cancel(here);
        return this.#signal("never", here);
      default:
        return this.#cancel(here);
    }
  }

  #patched(name: string): boolean {
    const isPatched = this.#ctx.patched(name);
    this.#pass.see(`patched ${this.#keys.next(name)} ${isPatched}`);
    return isPatched;
  }

  #tag(name: string): string {
    this.#ctx.tag({ [name]: "set" });
    this.#pass.see(`tagged ${name}`);
    return "tagged";
  }

  #cancel(here: Here): Promise<string> {
    const { name, key } = stepAt(here.place);
    const own = this.#keys.ofStep({ name, key });
    const body = async (step: StepContext): Promise<string> => {
      const token = await this.#pass.perform(step, "step", own);
      await this.#pass.outside.cancel(this.#pass.run);
      return this.#pass.done(token);
    };
    return this.#pass.ask(here, "step", own, () =>
      this.#ctx.step(name, body, key === undefined ? {} : { key }),
    );
  }

  // ------------------------------------------------------------------------------------------ steps

  async #step(node: StepNode, here: Here): Promise<string> {
    const { name, key } = stepAt(here.place);
    if (node.undo?.startsWith("bare") === true) this.#bareUndo(node, here);
    const own = this.#keys.ofStep({ name, key });
    const options: StepOptions<string> = {
      ...(key === undefined ? {} : { key }),
      ...stepOptions(this.#pass, node, own),
    };
    const sql = (tx: unknown): string | Promise<string> => transactionBody(this.#pass, node, tx, own);
    return this.#pass.ask(here, "step", own, () =>
      node.tx === true
        ? transactStep(this.#ctx, name, sql as (tx: unknown) => string, options)
        : this.#ctx.step(name, (step) => stepBody(this.#pass, node, step, own), options),
    );
  }

  #bareUndo(node: StepNode, here: Here): void {
    here.lost?.throwIfAborted();
    const name = nameAt(here.place, "undo");
    const key = this.#keys.next(name);
    this.#pass.see(`ask undo ${key}`);
    const isFlaky = node.undo === "bare-flaky";
    const how = node.sync === true ? "undoNow" : "undo";
    this.#ctx.compensate(name, (step) => this.#pass[how](step, key, isFlaky));
  }
}

function outcomeOf(outcome: PromiseSettledResult<unknown>): unknown {
  return outcome.status === "fulfilled" ? outcome.value : ["failed", describeError(outcome.reason)];
}

function lateIfTimedOut(error: unknown): string {
  if (error instanceof SignalTimeoutError) return "late";
  throw error;
}
