/** The words that all commands share that change something. */
import type { Command } from "commander";
import { addSelection, OTHERS, WHICH } from "../run-selection.ts";

/** For ids, ids from standard input, or a filter. */
export function addTargets(command: Command): Command {
  command.argument("[runs...]", "ids, or the beginnings of them; - for ids from standard input");
  return addSelection(command)
    .optionsGroup(WHICH)
    .option("--all", "all runs that it can be done to")
    .option("-n, --limit <count>", "at most so many")
    .optionsGroup(OTHERS);
}

export function addChangeOptions(command: Command): Command {
  return command
    .option("--dry-run", "say what would be done to which, and do nothing")
    .option("-y, --yes", "ask nothing: for scripts");
}

export function addWhoAndWhy(command: Command): Command {
  return command
    .option("--because <text>", "why: kept in the journal of each run, and shown by `why`")
    .option("--by <name>", "who: by default the user and host of this process");
}
