import { InvalidArgumentError } from "../errors.ts";

const NAME_MAX = 200;
const RUN_ID_MAX = 500;
const KEY_MAX = 500;

/** Throws unless `name` can name a workflow, version, step, signal, tag or change. */
export function checkName(what: string, name: unknown): void {
  check(what, name, NAME_MAX);
}

/** `#` and brackets are how keys are made of names: a name holding them could be taken for another one's key. */
export function checkAskName(what: string, name: unknown): void {
  check(what, name, NAME_MAX);
  if (/[#[\]]/.test(String(name))) {
    throw new InvalidArgumentError(
      `the name of a ${what} can't contain #, [ or ]: ${JSON.stringify(name)}; give steps in loops the option \`key\``,
    );
  }
}

/** What a step adds to its name. It can hold anything that an id can. */
export function checkKey(what: string, key: unknown): void {
  check(what, key, KEY_MAX);
}

export function checkRunId(id: unknown): void {
  check("run id", id, RUN_ID_MAX);
}

function check(what: string, text: unknown, max: number): void {
  if (typeof text !== "string" || text.length === 0)
    throw new InvalidArgumentError(
      `${one(what)} must be a text that is not empty, not ${text === "" ? '""' : String(text)}`,
    );
  if (text.length > max)
    throw new InvalidArgumentError(
      `${one(what)} has at most ${max} characters, this one has ${text.length}: ${JSON.stringify(text.slice(0, 60))}…`,
    );
  // A lone surrogate would be stored as another character; control characters attack terminals.
  if (!text.isWellFormed() || hasControl(text))
    throw new InvalidArgumentError(
      `${one(what)} can't contain control characters or half a character: ${JSON.stringify(text)}`,
    );
}

function one(what: string): string {
  return `${/^[aeiou]/.test(what) ? "an" : "a"} ${what}`;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}

/** `<run>/<key>`, injective: two different pairs never give the same text. The caller hashes what is too long. */
export function idempotencyPath(runId: string, key: string, suffix = ""): string {
  return `${escapePart(runId)}/${escapePart(key)}${suffix}`;
}

/** So that it can stand between slashes. */
export function escapePart(part: string): string {
  return part.replaceAll(/[%/~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
