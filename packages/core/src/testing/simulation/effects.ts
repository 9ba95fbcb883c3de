/**
 * The outside world, as one simulated process reaches it: each call of one of its functions is an effect, before and after which
 * the process may die. What a process still calls after its death reaches nobody.
 */

/** The process that calls. */
export interface Caller {
  readonly isDead: boolean;
  /** Settles when the process is not frozen. */
  thawed(): Promise<void> | undefined;
  /** Told of each effect; true when the process dies before it. */
  begins(effect: string): { readonly dies: boolean; readonly diesAfter: () => boolean };
  /** Time stands still until this has settled. */
  pending(call: PromiseLike<unknown>): void;
}

/** Thrown into the code of a process that died within a synchronous call: nobody gets to see it. */
class Death extends Error {}

type AnyFunction = (this: unknown, ...args: readonly unknown[]) => unknown;

const never = (): Promise<never> => new Promise(() => {});

/** Functions that have answered with a promise. */
const asynchronous = new WeakSet<AnyFunction>();

/** The same world: its functions and those of what it holds are called through this process. */
export function worldOf<W>(world: W, caller: Caller): W {
  return isObject(world) ? (new WorldView(caller).of(world, "") as W) : world;
}

class WorldView {
  readonly #caller: Caller;
  readonly #views = new WeakMap<object, object>();

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  of(target: object, path: string): object {
    const known = this.#views.get(target);
    if (known !== undefined) return known;
    const view = new Proxy(target, {
      get: (_, property) => this.#property(target, property, path),
    });
    this.#views.set(target, view);
    return view;
  }

  #property(target: object, property: string | symbol, path: string): unknown {
    const value: unknown = Reflect.get(target, property, target);
    const fixed = Reflect.getOwnPropertyDescriptor(target, property);
    // A proxy has to tell the truth about what can't change.
    if (fixed?.configurable === false && fixed.writable === false) return value;
    const name = path === "" ? String(property) : `${path}.${String(property)}`;
    if (typeof value === "function" && property !== "constructor")
      return (...args: readonly unknown[]) => this.#call(value as AnyFunction, target, { name, args });
    return isObject(value) ? this.of(value, name) : value;
  }

  /** On the object itself, whose fields may be private to it. */
  #call(
    fn: AnyFunction,
    target: object,
    { name, args }: { readonly name: string; readonly args: readonly unknown[] },
  ): unknown {
    const thawed = this.#caller.thawed();
    if (thawed !== undefined && isAsynchronous(fn))
      return thawed.then(() => this.#call(fn, target, { name, args }));
    if (this.#caller.isDead) return this.#end(fn);
    const { dies, diesAfter } = this.#caller.begins(name);
    if (dies) return this.#end(fn);
    const result = fn.apply(target, [...args]);
    if (!isThenable(result)) {
      if (diesAfter()) throw new Death();
      return result;
    }
    asynchronous.add(fn);
    this.#caller.pending(result);
    return this.#answer(result, diesAfter);
  }

  /** What came of it, unless the process died meanwhile, dies now, or is frozen. */
  async #answer(result: PromiseLike<unknown>, diesAfter: () => boolean): Promise<unknown> {
    const settle = async <T>(act: () => T): Promise<T> => {
      if (this.#caller.isDead || diesAfter()) return never();
      await this.#caller.thawed();
      return this.#caller.isDead ? never() : act();
    };
    return result.then(
      (value) => settle(() => value),
      (error: unknown) =>
        settle(() => {
          throw error;
        }),
    );
  }

  #end(fn: AnyFunction): Promise<never> {
    if (isAsynchronous(fn)) return never();
    throw new Death();
  }
}

function isAsynchronous(fn: AnyFunction): boolean {
  return fn.constructor.name === "AsyncFunction" || asynchronous.has(fn);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && "then" in value && typeof value.then === "function";
}
