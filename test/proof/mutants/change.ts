/** A change of one source file of core: what a mutant is made by. */

export interface Change {
  /** Below `packages/core/src`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Names the change, as JSON, to the process that is to be changed. */
export const MUTANT_VARIABLE = "EVERSTEP_MUTANT";

/** Exit code of a process in which the change was not made. */
export const NOT_BRED = 77;

const SOURCES = new URL("../../../packages/core/src/", import.meta.url);

export function urlOf({ file }: Change): string {
  return new URL(file, SOURCES).href;
}

/** Throws when what is to be changed is not at just one place. */
export function mutated(source: string, { file, from, to }: Change): string {
  const parts = source.split(from);
  if (parts.length !== 2)
    throw new Error(`what is to be changed in ${file} is at ${parts.length - 1} places, not at one`);
  return parts.join(to);
}
