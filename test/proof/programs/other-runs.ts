/** What a program does to other runs: calls and starts them, emits events for them, sends them signals. */
import type { CallOptions, Workflow } from "@everstep/core";
import { type ChildNode, type EmitNode, nameAt, type Program, toldFirst } from "./program.ts";
import { describeError, type Here, type WatchedPass } from "./watched-pass.ts";

/** A run of this id is never there. */
const NOBODY = "nobody";

export class OtherRuns {
  readonly #pass: WatchedPass;
  readonly #workflow: Workflow<Program>;

  constructor(pass: WatchedPass, workflow: Workflow<Program>) {
    this.#pass = pass;
    this.#workflow = workflow;
  }

  child(node: ChildNode, here: Here): Promise<unknown> {
    return node.do === "call" ? this.#call(node, here) : this.#start(node, here);
  }

  async #call({ program, undo, late }: ChildNode, here: Here): Promise<unknown> {
    const pass = this.#pass;
    const name = nameAt(here.place, "call");
    const key = pass.keys.next(name);
    const options: CallOptions = {
      name,
      ...(undo === undefined
        ? {}
        : {
            compensate: (done, step) =>
              pass.undo(
                step,
                key,
                undo === "own-flaky",
                done.outcome === "completed" ? String(done.result) : "unknown",
              ),
          }),
    };
    const value = await pass.ask(here, "child", key, () => pass.ctx.call(this.#workflow, program, options));
    if (late !== true) return value;
    return [value, await this.#tell(childOf(pass.run, key), nameAt(here.place, "late"), here)];
  }

  /** By its name only, as where its code is elsewhere. */
  async #start({ program, told }: ChildNode, here: Here): Promise<unknown> {
    const pass = this.#pass;
    const name = nameAt(here.place, "start");
    const key = pass.keys.next(name);
    const signal = nameAt(here.place, "told");
    const input = told === true ? toldFirst(signal, program) : program;
    const id = await pass.ask(here, "start", key, async () => {
      const run = await pass.ctx.start(this.#workflow.name, input, { name });
      return run.id;
    });
    if (told === true) await this.#tell(id, signal, here);
    return "started";
  }

  async emit({ event, program }: EmitNode, here: Here): Promise<string> {
    const key = this.#pass.keys.next(`emit ${event}`);
    await this.#pass.ask(here, "emit", key, () => this.#pass.ctx.emit(event, program));
    return "emitted";
  }

  /** The run's own signal: sent by it, and waited for. */
  async tellItself(here: Here): Promise<unknown> {
    const { run, ctx, keys } = this.#pass;
    const name = nameAt(here.place, "tell");
    const key = keys.next(name);
    await this.#tell(run, name, here, key);
    return this.#pass.ask(here, "signal", key, () => ctx.waitForSignal(name));
  }

  tellNobody(here: Here): Promise<string> {
    return this.#tell(NOBODY, nameAt(here.place, "nobody"), here);
  }

  /** That the run can't be told is no failure of the one that tells. */
  async #tell(run: string, name: string, here: Here, payload = name): Promise<string> {
    const key = this.#pass.keys.next(`signal ${name}`);
    try {
      await this.#pass.ask(here, "send", key, () => this.#pass.ctx.signal(run, name, payload));
      return "told";
    } catch (error) {
      if (here.lost?.aborted === true) throw error;
      return describeError(error);
    }
  }
}

/** The id of a run that is called under this key. */
function childOf(run: string, key: string): string {
  return `${run}/${key}`;
}
