/**
 * The outside world, as one simulated process reaches it: each call of one of its functions is an effect, before and after which
 * the process may die. What a process still calls after its death reaches nobody.
 */
import {
  answersLater,
  type AnyFunction,
  isAsynchronous,
  isFunction,
  isNativeValue,
  isObject,
  isPlainPromise,
  isPromise,
  isService,
  isThenable,
} from "./world-values.ts";

/** The process that calls. */
export interface Caller {
  readonly isDead: boolean;
  /** Settles when the process is not frozen. */
  thawed(): Promise<void> | undefined;
  /** Told of each effect; true when the process dies before it. */
  begins(effect: string): { readonly dies: boolean; readonly diesAfter: () => boolean };
  /** Settles when an answer of the world has arrived; undefined: at once. */
  answerArrives(): Promise<void> | undefined;
  /** Time stands still until this has settled. */
  pending(effect: string, call: PromiseLike<unknown>): void;
}

/** Thrown into the code of a process that died within a synchronous call: nobody gets to see it. */
class Death extends Error {
  override readonly name = "Death";

  constructor(call: string) {
    super(
      `the simulated process died, and still called ${call}: from a timer or a listener, say, that outlives its step`,
    );
  }
}

interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

const never = (): Promise<never> => new Promise(() => {});

/** What each view is a view of: the world itself meets no views of its parts. */
const targets = new WeakMap<object, object>();

/** The same world: its functions and those of what it holds are called through this process. */
export function worldOf<W>(world: W, caller: Caller): W {
  const view = new WorldView(caller);
  if (isFunction(world)) return view.function(world, undefined, world.name || "world") as W;
  return isObject(world) ? (view.of(world, "") as W) : world;
}

class WorldView {
  readonly #caller: Caller;
  readonly #views = new WeakMap<object, object>();
  /** By the object that they are functions of. */
  readonly #functions = new WeakMap<object, Map<AnyFunction, AnyFunction>>();

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  of(target: object, path: string): object {
    const known = this.#views.get(target);
    if (known !== undefined) return known;
    const isFrozen = Object.isFrozen(target);
    if (isNativeValue(target) || (isFrozen && Array.isArray(target))) return target;
    const view = new Proxy(isFrozen ? {} : target, {
      get: (_, property) => this.#property(target, property, path),
      // On the object itself: a setter's fields may be private to it.
      set: (_, property, value) =>
        this.#call((given) => Reflect.set(target, property, given, target), undefined, {
          name: `${nameOf(path, property)} =`,
          args: [value],
        }) === true,
      ...(isFrozen ? shownAs(target) : {}),
    });
    this.#views.set(target, view);
    targets.set(view, target);
    return view;
  }

  function(fn: AnyFunction, owner: object | undefined, name: string): AnyFunction {
    const known = owner === undefined ? undefined : this.#functions.get(owner)?.get(fn);
    if (known !== undefined) return known;
    const view: AnyFunction = new Proxy(fn, {
      apply: (_, _self, args: readonly unknown[]) => this.#call(fn, owner, { name, args }),
      construct: (_, args, newTarget) =>
        Reflect.construct(fn, args, newTarget === view ? fn : newTarget) as object,
      get: (_, property) =>
        typeof property === "string" && property !== "prototype" && Object.hasOwn(fn, property)
          ? this.#property(fn, property, name)
          : (Reflect.get(fn, property) as unknown),
    });
    targets.set(view, fn);
    if (owner === undefined) return view;
    const functions = this.#functions.get(owner) ?? new Map<AnyFunction, AnyFunction>();
    this.#functions.set(owner, functions.set(fn, view));
    return view;
  }

  #property(target: object, property: string | symbol, path: string): unknown {
    const value: unknown = Reflect.get(target, property, target);
    const fixed = Reflect.getOwnPropertyDescriptor(target, property);
    // A proxy has to tell the truth about what can't change; that of a frozen object is none of itself.
    if (
      fixed?.configurable === false &&
      fixed.writable === false &&
      (isFunction(target) || !Object.isFrozen(target))
    )
      return value;
    const name = nameOf(path, property);
    if (isFunction(value) && property !== "constructor") return this.function(value, target, name);
    return isObject(value) ? this.of(value, name) : value;
  }

  /** On the object itself, whose fields may be private to it. */
  #call(fn: AnyFunction, target: object | undefined, { name, args }: Call): unknown {
    const thawed = this.#caller.thawed();
    if (thawed !== undefined && isAsynchronous(fn))
      return thawed.then(() => this.#call(fn, target, { name, args }));
    if (this.#caller.isDead) return this.#end(fn, name);
    const { dies, diesAfter } = this.#caller.begins(name);
    if (dies) return this.#end(fn, name);
    const result = resultOf(fn, target, args.map(targetOf), () => {
      if (diesAfter()) throw new Death(name);
    });
    if (isThenable(result) && isPlainPromise(result)) {
      answersLater(fn);
      return this.#answer(result, { name, diesAfter });
    }
    if (isPromise(result)) return this.#promise(result, { name, diesAfter });
    if (diesAfter()) throw new Death(name);
    if (isThenable(result)) return this.#query(result, name);
    return this.#part(result, name);
  }

  /** A promise that can do more than that. */
  #promise(result: Promise<unknown>, { name, diesAfter }: Begun): unknown {
    const answer = this.#answer(result, { name, diesAfter });
    // Whoever calls its other functions hears of a failure from these.
    answer.catch(() => {});
    return new Proxy(result, {
      get: (_, property) =>
        property === "then" || property === "catch" || property === "finally"
          ? answer[property].bind(answer)
          : this.#property(result, property, name),
    });
  }

  /** What begins when it is awaited, once each time, such as a query that is built call by call. */
  #query(result: PromiseLike<unknown> & object, name: string): unknown {
    const ask = (): PromiseLike<unknown> =>
      this.#call(() => new Promise((resolve, reject) => void result.then(resolve, reject)), undefined, {
        name: `${name}()`,
        args: [],
      }) as PromiseLike<unknown>;
    return new Proxy(result, {
      get: (_, property) => {
        if (property === "then")
          return (...then: Parameters<Promise<unknown>["then"]>) => ask().then(...then);
        return this.#property(result, property, name);
      },
    });
  }

  /** What came of it, unless the process died meanwhile, dies now, or is frozen. */
  async #answer(result: PromiseLike<unknown>, { name, diesAfter }: Begun): Promise<unknown> {
    this.#caller.pending(name, result);
    const settle = async <T>(act: () => T): Promise<T> => {
      if (this.#caller.isDead || diesAfter()) return never();
      await this.#caller.answerArrives();
      await this.#caller.thawed();
      return this.#caller.isDead ? never() : act();
    };
    return result.then(
      (value) => settle(() => this.#part(value, name)),
      (error: unknown) =>
        settle(() => {
          throw error;
        }),
    );
  }

  /** The world itself, a connection that it opened: what is done with it is done in the world. */
  #part(value: unknown, name: string): unknown {
    if (!isObject(value)) return value;
    return this.#views.get(value) ?? (isService(value) ? this.of(value, name) : value);
  }

  #end(fn: AnyFunction, name: string): Promise<never> {
    if (isAsynchronous(fn)) return never();
    throw new Death(name);
  }
}

interface Begun {
  readonly name: string;
  readonly diesAfter: () => boolean;
}

function resultOf(
  fn: AnyFunction,
  target: object | undefined,
  args: readonly unknown[],
  failed: () => void,
): unknown {
  try {
    return fn.apply(target, [...args]);
  } catch (error) {
    failed();
    throw error;
  }
}

function nameOf(path: string, property: string | symbol): string {
  return path === "" ? String(property) : `${path}.${String(property)}`;
}

function targetOf(value: unknown): unknown {
  return isObject(value) || isFunction(value) ? (targets.get(value) ?? value) : value;
}

/** What else there is to see of an object whose proxy stands for another one. */
function shownAs(target: object): ProxyHandler<object> {
  return {
    has: (_, property) => Reflect.has(target, property),
    ownKeys: () => Reflect.ownKeys(target),
    getPrototypeOf: () => Reflect.getPrototypeOf(target),
    getOwnPropertyDescriptor: (_, property) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, property);
      return descriptor === undefined ? undefined : { ...descriptor, configurable: true };
    },
  };
}
