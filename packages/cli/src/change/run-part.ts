/**
 * Commands on something of a run, such as a step: `skip order-42 charge`. For several runs an option names it, and then every word is an id;
 * without a word the options are a filter: `skip --step charge --status stuck`.
 */
import type { Command } from "commander";
import { usageError } from "../failure.ts";
import { addSelection, OTHERS, WHICH } from "../run-selection.ts";

export interface RunPart {
  /** `--step`, which names it where several runs are meant. */
  readonly option: `--${string}`;
  /** What it is called in usage: `step`. */
  readonly noun: string;
  /** What may follow it where one run is meant: `[payload]`. */
  readonly more?: string;
}

export interface PartWords {
  /** Ids, or `-`; none: a filter is meant. */
  readonly ids: readonly string[];
  readonly part: string;
  /** What followed it. */
  readonly more: string | undefined;
}

/** As `addTargets`. */
export function addPartTargets(command: Command, { option, noun, more }: RunPart, step?: string): Command {
  command
    .usage(
      `[options] <run> <${noun}>${more === undefined ? "" : ` ${more}`}\n       everstep ${command.name()} [options] ${option} <${noun}> [runs...]`,
    )
    .argument(
      "[words...]",
      `one run and the ${noun}; or with ${option} ids, - for ids from standard input, or none and a filter`,
    );
  return addSelection(command, step)
    .optionsGroup(WHICH)
    .option("--all", `with ${option}: all runs that it can be done to`)
    .option("-n, --limit <count>", "at most so many")
    .optionsGroup(OTHERS);
}

export function partWords(
  words: readonly string[],
  named: string | undefined,
  { option, noun, more }: RunPart,
): PartWords {
  if (named !== undefined) return { ids: words, part: named, more: undefined };
  const [run, part, after, ...tooMany] = words;
  const isTooMuch = tooMany.length > 0 || (after !== undefined && more === undefined);
  if (run === undefined || part === undefined || isTooMuch)
    throw usageError(
      `say which run, and then the ${noun}; for several runs give ${option} <${noun}>, and then ids, - for ids from standard input, or a filter`,
    );
  return { ids: [run], part, more: after };
}

/** What becomes of one run is the command's own end; of several, each is told of. */
export function isSeveral(ids: readonly string[]): boolean {
  return ids.length !== 1 || ids[0] === "-";
}
