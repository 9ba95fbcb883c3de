/** What a world holds and answers: which of it is a part of the world that does something, and which is only a value. */
import { types } from "node:util";

export type AnyFunction = (this: unknown, ...args: readonly unknown[]) => unknown;

/** Functions that have answered with a promise. */
const asynchronous = new WeakSet<AnyFunction>();

export function isAsynchronous(fn: AnyFunction): boolean {
  return types.isAsyncFunction(fn) || asynchronous.has(fn);
}

export function answersLater(fn: AnyFunction): void {
  asynchronous.add(fn);
}

export function isFunction(value: unknown): value is AnyFunction {
  return typeof value === "function";
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> & object {
  return isObject(value) && "then" in value && typeof value.then === "function";
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return types.isPromise(value);
}

/** A promise and nothing more, as opposed to one with functions of its own (Stripe's lists) or a query that runs when it is awaited. */
export function isPlainPromise(value: PromiseLike<unknown>): boolean {
  return (
    types.isPromise(value) &&
    Object.getPrototypeOf(value) === Promise.prototype &&
    Object.getOwnPropertyNames(value).length === 0
  );
}

/** The platform looks into these past any proxy. */
export function isNativeValue(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isPromise(value) ||
    types.isNativeError(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isKeyObject(value) ||
    types.isCryptoKey(value) ||
    ArrayBuffer.isView(value) ||
    value instanceof URL ||
    value instanceof AbortSignal ||
    value instanceof Blob
  );
}

/** It has an asynchronous function: a connection or a collection, say, and no value such as a decimal number. */
export function isService(value: unknown): value is object {
  if (!isObject(value) || isNativeValue(value) || types.isProxy(value)) return false;
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = Reflect.getPrototypeOf(at))
    for (const property of Object.values(Object.getOwnPropertyDescriptors(at)))
      if (types.isAsyncFunction(property.value)) return true;
  return false;
}
