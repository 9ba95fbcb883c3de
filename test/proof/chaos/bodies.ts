import { type Context, FatalError, type StepContext, type StepOutcome } from "@everstep/core";
import { CANARY } from "./canary.ts";
import type { Effect, Effects } from "./ledger-link.ts";
import { DECLINED } from "./steps.ts";

type Body = (body: StepContext) => Promise<string>;
type Undo = (done: StepOutcome<string> | undefined, body: StepContext) => Promise<void>;

/** The bodies of one run: each has an effect that the ledger writes down, under the step's name. */
export class Bodies {
  readonly #ctx: Context;
  readonly #effects: Effects;

  constructor(ctx: Context, effects: Effects) {
    this.#ctx = ctx;
    this.#effects = effects;
  }

  step(name: string): Promise<string> {
    return this.#ctx.step(name, this.of(name));
  }

  of(name: string, effectOf: (body: StepContext) => Effect = () => ({})): Body {
    return (body) => this.#effects.perform(body, { run: this.#ctx.run.id, step: name }, effectOf(body));
  }

  /** Tells the ledger what it was told of its step. */
  undo(name: string, effectOf: (body: StepContext) => Effect = () => ({})): Undo {
    return async (done, body) => {
      const told = done?.outcome === "completed" ? done.result : (done?.outcome ?? "");
      const place = { run: this.#ctx.run.id, step: `${name}/undo` };
      await this.#effects.perform(body, place, { told, ...effectOf(body) });
    };
  }

  /** Fails for good, and says that nothing happened: its undo is registered, and never called. */
  decline(): Promise<string> {
    const declined = new FatalError(`declined, ${CANARY}`, { code: "declined", happened: false });
    return this.#ctx.step(
      DECLINED,
      this.of(DECLINED, () => ({ fault: () => declined })),
      {
        compensate: this.undo(DECLINED),
      },
    );
  }
}

/** What an attempt throws that is to be tried again. */
export function notYet(): Error {
  return new Error(`not yet, ${CANARY}`);
}
