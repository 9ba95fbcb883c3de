/** What a person selects runs by, checked before any of it reaches a store: a misspelt filter must not select every run there is. */
import { checkRunId } from "../engine/names.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { RunFilter, RunStatus } from "../store.ts";

const STATUSES: Readonly<Record<RunStatus, true>> = {
  ready: true,
  running: true,
  waiting: true,
  compensating: true,
  stuck: true,
  completed: true,
  failed: true,
  canceled: true,
};

/** Throws naming what of it is wrong. */
type Check = (value: unknown, what: string) => void;

const text: Check = (value, what) => {
  if (typeof value !== "string") throw wrong(what, "a text", value);
};
const instant: Check = (value, what) => {
  if (!Number.isSafeInteger(value)) throw wrong(what, "whole milliseconds since the epoch", value);
};
const flag: Check = (value, what) => {
  if (typeof value !== "boolean") throw wrong(what, "true or false", value);
};
const ids: Check = (value, what) => {
  if (!Array.isArray(value)) throw wrong(what, "a list of ids", value);
  for (const id of value) checkRunId(id);
};
const statuses: Check = (value, what) => {
  for (const status of Array.isArray(value) ? (value as unknown[]) : [value])
    if (typeof status !== "string" || !Object.hasOwn(STATUSES, status))
      throw wrong(what, `one of ${Object.keys(STATUSES).join(", ")}`, status);
};
const tags: Check = (value, what) => {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(what, 'tags with their values, such as { customer: "ada" }', value);
  for (const [tag, is] of Object.entries(value)) text(is, `${what}.${tag}`);
};

const CHECKS: Readonly<Record<keyof RunFilter, Check>> = {
  ids,
  idPrefix: text,
  status: statuses,
  workflow: text,
  version: text,
  parent: text,
  paused: flag,
  tag: tags,
  since: instant,
  until: instant,
  endedBefore: instant,
};

/** What is `undefined` says nothing. */
export function checkFilter(filter: RunFilter): void {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter))
    throw new InvalidArgumentError(`a filter of runs is an object, not ${show(filter)}`);
  for (const [name, value] of Object.entries(filter)) {
    if (!isPart(name))
      throw new InvalidArgumentError(
        `a filter of runs has no ${JSON.stringify(name)}; it has ${Object.keys(CHECKS).join(", ")}`,
      );
    if (value !== undefined) CHECKS[name](value, name);
  }
}

/** A filter that was meant to say something, and says nothing, would select every run there is. */
export function checkSelects(filter: RunFilter): void {
  checkFilter(filter);
  const { tag = {}, ...rest } = filter;
  const says = [...Object.values(rest), ...Object.values(tag)];
  if (says.every((value) => value === undefined))
    throw new InvalidArgumentError(
      "give the id of a run, or a filter that says which runs are meant; for all of them { since: 0 }",
    );
}

/** `Infinity` is none. */
export function checkLimit(limit: number): void {
  if (limit !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(limit) && limit >= 0))
    throw wrong("limit", "a whole number", limit);
}

function isPart(name: string): name is keyof RunFilter {
  return Object.hasOwn(CHECKS, name);
}

function wrong(what: string, shouldBe: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`${what} must be ${shouldBe}, not ${show(value)}`);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return value instanceof Date ? "a Date: give its getTime()" : String(value);
}
