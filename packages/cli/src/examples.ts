/** The examples at the end of a command's help. */
import type { Command } from "commander";

export function withExamples(
  command: Command,
  examples: readonly (readonly [line: string, what: string])[],
): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  $ everstep ${line.padEnd(width)}  ${what}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
