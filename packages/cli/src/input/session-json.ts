/** JSON of the command line, with the files and the standard input of this command. */
import type { Command } from "commander";
import type { Io } from "../io.ts";
import { usageError } from "../failure.ts";
import { jsonArgument } from "./json-argument.ts";
import { readAll } from "./stdin.ts";

export interface PathOptions {
  readonly forcePath?: boolean;
}

export function addPathOption(command: Command): Command {
  return command.option("--force-path", "use files outside of the working directory, and through links");
}

export function jsonOf(text: string, what: string, io: Io, { forcePath }: PathOptions): Promise<unknown> {
  return jsonArgument(text, what, {
    cwd: io.cwd,
    forced: forcePath,
    readStdin: () => readAll(io.stdin),
  });
}

/** As `jsonOf`, where ids may come from standard input. */
export function jsonBeside(
  ids: readonly string[],
  {
    text,
    what,
    io,
    options,
  }: { readonly text: string; readonly what: string; readonly io: Io; readonly options: PathOptions },
): Promise<unknown> {
  if (text === "-" && ids.includes("-"))
    throw usageError(`ids and ${what} can't both come from standard input: give ${what} as @file`);
  return jsonOf(text, what, io, options);
}
