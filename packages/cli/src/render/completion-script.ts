/** Scripts by which shells complete the words of a program, made from the program itself. */
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Word {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
}

export function completionScript(program: Command, shell: Shell): string {
  const words = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [...command.options, ...program.options],
  }));
  return { bash, zsh, fish }[shell](words);
}

const flagsOf = ({ short, long }: Option): readonly string[] =>
  [short, long].filter((flag) => typeof flag === "string");

/** Of a text in a single-quoted word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(words: readonly Word[]): string {
  const cases = words.map(
    ({ name, options }) => `    ${name}) words="${options.flatMap(flagsOf).join(" ")}" ;;`,
  );
  return `# everstep: completion for bash
_everstep() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=""
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${words.map(({ name }) => name).join(" ")}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _everstep everstep
`;
}

function zsh(words: readonly Word[]): string {
  const commands = words.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = words.map(({ name, options }) => {
    const flags = options.flatMap((option) =>
      flagsOf(option).map((flag) => `${flag}[${option.description.replaceAll(/[[\]:]/g, " ")}]`),
    );
    return `    ${name}) _arguments ${flags.map(quoted).join(" ")} '*:file:_files' ;;`;
  });
  return `#compdef everstep
_everstep() {
  local -a commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local name="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join("\n")}
  esac
}
_everstep "$@"
`;
}

function fish(words: readonly Word[]): string {
  const lines = words.flatMap(({ name, summary, options }) => [
    `complete -c everstep -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...options.map(({ short, long, description }) => {
      const flags = [
        short === undefined ? "" : `-s ${short.slice(1)}`,
        long === undefined ? "" : `-l ${long.slice(2)}`,
      ];
      return `complete -c everstep -n '__fish_seen_subcommand_from ${name}' ${flags.filter((flag) => flag !== "").join(" ")} -d ${quoted(description)}`;
    }),
  ]);
  return `# everstep: completion for fish\n${lines.join("\n")}\n`;
}
