import { type Command, Argument } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, StorelessWork } from "../frame.ts";
import { completionScript, SHELLS, type Shell } from "../render/completion-script.ts";

export function addCompletion(program: Command, frame: Frame): void {
  const command = program
    .command("completion")
    .summary("completion of commands and options for a shell")
    .description("Prints a script that completes commands and options.")
    .addArgument(new Argument("<shell>", "your shell").choices(SHELLS))
    .action(frame.withoutStore(completion(program)));
  withExamples(command, [
    ["completion bash >> ~/.bashrc", "bash"],
    ['completion zsh > "${fpath[1]}/_everstep"', "zsh"],
    ["completion fish > ~/.config/fish/completions/everstep.fish", "fish"],
  ]);
}

function completion(program: Command): StorelessWork<unknown> {
  return async ({ out, args: [shell] }) => {
    const script = completionScript(program, shell as Shell);
    out.show({ shell, script }, () => script);
  };
}
