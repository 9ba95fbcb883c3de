/** A command that does something to runs: on ids, ids from standard input, or a filter. */
import type { Command } from "commander";
import { type Example, withExamples } from "../examples.ts";
import type { Frame } from "../frame.ts";
import type { Change, WhoAndWhy } from "./change.ts";
import { addChangeOptions, addTargets, addWhoAndWhy } from "./change-options.ts";
import { type ChangeOptions, runChange } from "./run-change.ts";

export interface ChangeCommand<Options> {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly Example[];
  /** Options of its own. */
  readonly options?: (command: Command) => void;
  readonly change: (options: Options) => Change;
}

type AllOptions<Options> = Options & ChangeOptions & WhoAndWhy;

export function addChangeCommand<Options extends object>(
  program: Command,
  frame: Frame,
  { name, summary, description, examples, options, change }: ChangeCommand<Options>,
): void {
  const command = program.command(name).summary(summary).description(description);
  addTargets(command);
  options?.(command);
  addWhoAndWhy(addChangeOptions(command)).action(
    frame.withStore<AllOptions<Options>>((session) =>
      runChange(session, session.args, change(session.options)),
    ),
  );
  withExamples(command, examples);
}
