/** Scripts by which shells complete the words of a program, made from the program itself. Options of the program may stand before the command. */
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Word {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  /** What its first argument can be, where that is one of few words. */
  readonly choices: readonly string[];
}

interface Words {
  readonly commands: readonly Word[];
  /** Of the program. */
  readonly options: readonly Option[];
}

export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [...command.options, ...program.options],
    choices: command.registeredArguments[0]?.argChoices ?? [],
  }));
  return { bash, zsh, fish }[shell]({ commands, options: program.options });
}

const flagsOf = ({ short, long }: Option): readonly string[] =>
  [short, long].filter((flag) => typeof flag === "string");

/** Of a text in a single-quoted word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const namesOf = (commands: readonly Word[]): string => commands.map(({ name }) => name).join(" ");

function bash({ commands, options }: Words): string {
  const cases = commands.map(
    ({ name, options: own, choices }) =>
      `      ${name}) words="${[...choices, ...own.flatMap(flagsOf)].join(" ")}"; break ;;`,
  );
  return `# everstep: completion for bash
_everstep() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="${namesOf(commands)} ${options.flatMap(flagsOf).join(" ")}" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
${cases.join("\n")}
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _everstep everstep
`;
}

function zsh({ commands, options }: Words): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map(({ name, options: own, choices }) => {
    const rest = choices.length === 0 ? "*:file:_files" : `1:word:(${choices.join(" ")})`;
    return `    ${name}) _arguments ${zshSpecs(own)} ${quoted(rest)} ;;`;
  });
  return `#compdef everstep
_everstep() {
  local -a commands=(
${described.join("\n")}
  )
  local -i at
  for (( at = 2; at < CURRENT; at++ )); do
    (( \${commands[(I)\${words[at]}:*]} )) && break
  done
  if (( at == CURRENT )); then
    if [[ "\${words[CURRENT]}" == -* ]]; then _arguments ${zshSpecs(options)}; else _describe command commands; fi
    return
  fi
  local name="\${words[at]}"
  words=("\${(@)words[at,-1]}")
  (( CURRENT -= at - 1 ))
  case "$name" in
${cases.join("\n")}
  esac
}
_everstep "$@"
`;
}

function zshSpecs(options: readonly Option[]): string {
  return options
    .flatMap((option) =>
      flagsOf(option).map((flag) => quoted(`${flag}[${option.description.replaceAll(/[[\]]/g, " ")}]`)),
    )
    .join(" ");
}

function fish({ commands, options }: Words): string {
  const none = `not __fish_seen_subcommand_from ${namesOf(commands)}`;
  const flags = (condition: string, { short, long, description }: Option): string => {
    const words = [
      ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
      ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ];
    return `complete -c everstep -n ${quoted(condition)} ${words.join(" ")} -d ${quoted(description)}`;
  };
  const lines = commands.flatMap(({ name, summary, options: own, choices }) => [
    `complete -c everstep -f -n ${quoted(none)} -a ${name} -d ${quoted(summary)}`,
    ...choices.map(
      (choice) => `complete -c everstep -f -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -a ${choice}`,
    ),
    ...own.map((option) => flags(`__fish_seen_subcommand_from ${name}`, option)),
  ]);
  return `# everstep: completion for fish\n${[...options.map((option) => flags(none, option)), ...lines].join("\n")}\n`;
}
