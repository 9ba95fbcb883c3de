/** One pass of a program's code: what it asks for and gets, told to whoever watches. */
import { type Context, RunEndedError, RunNotFoundError, type StepContext } from "@everstep/core";
import type { Doing, Outside, WriteHow } from "./outside.ts";
import { Keys, type Place } from "./program.ts";

export interface Here {
  readonly place: Place;
  /** The value of the last step before. */
  readonly last: string;
  /** Aborts when the branch of a race that this stands in has lost. */
  readonly lost: AbortSignal | undefined;
}

export class WatchedPass {
  readonly ctx: Context;
  readonly keys: Keys = new Keys();
  readonly run: string;
  readonly outside: Outside;
  readonly #number: number;
  #seen = 0;

  constructor(ctx: Context, outside: Outside) {
    this.ctx = ctx;
    this.outside = outside;
    this.run = ctx.run.id;
    this.#number = outside.beginPass(this.run);
  }

  see(line: string): void {
    this.#seen += 1;
    this.outside.observe(this.run, this.#number, line);
  }

  /** What it asks, then what it gets. A branch that has lost asks for nothing and gets nothing: what ctx does then is no news. */
  async ask<T>(here: Here, kind: string, key: string, ask: () => Promise<T>): Promise<T> {
    if (here.lost?.aborted !== true) this.see(`ask ${kind} ${key}`);
    try {
      const value = await ask();
      this.see(`got ${key} ${this.now()} ${String(value)}`);
      return value;
    } catch (error) {
      if (here.lost?.aborted !== true) this.see(`got ${key} ${this.now()} ${describeError(error)}`);
      throw error;
    }
  }

  now(): number {
    return this.ctx.now().getTime();
  }

  perform(step: StepContext, kind: Doing["kind"], key: string, told?: string): Promise<string> {
    const doing = this.#doing(kind, key);
    return this.outside.perform(step, told === undefined ? doing : { ...doing, told });
  }

  performNow(step: StepContext, kind: Doing["kind"], key: string, told?: string): string {
    const doing = this.#doing(kind, key);
    return this.outside.performNow(step, told === undefined ? doing : { ...doing, told });
  }

  write(tx: unknown, key: string, how: WriteHow): string | Promise<string> {
    return this.outside.write(tx, this.#doing("transaction", key), how);
  }

  #doing(kind: Doing["kind"], key: string): Doing {
    return { kind, key, run: this.run, pass: this.#number, seen: this.#seen };
  }

  done(token: string): string {
    this.outside.ended(token, "returned");
    return token;
  }

  throws(token: string, error: Error): never {
    this.outside.ended(token, "threw");
    throw error;
  }

  async undo(step: StepContext, key: string, isFlaky: boolean, told?: string): Promise<void> {
    this.#undone(await this.perform(step, "undo", key, told), key, isFlaky);
  }

  undoNow(step: StepContext, key: string, isFlaky: boolean, told?: string): void {
    this.#undone(this.performNow(step, "undo", key, told), key, isFlaky);
  }

  #undone(token: string, key: string, isFlaky: boolean): void {
    if (isFlaky && this.outside.failsNow(this.run, `${key}/undo`))
      this.throws(token, new Error(`flaky ${token}`));
    this.done(token);
  }
}

/** What code that is to be the same in every attempt may look at of an error. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof RunNotFoundError || error instanceof RunEndedError) return error.name;
  const { cause } = error;
  return cause instanceof Error
    ? `${error.name}: ${cause.name}: ${cause.message}`
    : `${error.name}: ${error.message}`;
}
