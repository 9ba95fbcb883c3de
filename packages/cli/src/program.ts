/** The command line: its groups, its words, and what becomes of what can't be understood. */
import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addChanging, LAST_GROUP } from "./commands/changing.ts";
import { addCompletion } from "./commands/completion.ts";
import { addLooking } from "./commands/looking.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { type CommandError, usageError } from "./failure.ts";
import { Frame, Output } from "./frame.ts";
import type { Io, Sink } from "./io.ts";
import { safeText } from "./safe-text.ts";

const WIDTH = 80;
const WIDTH_MAX = 110;

export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const isJson = argv.includes("--json");
  const frame = new Frame(io);
  const program = programOf(frame, { isJson });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return frame.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && (!isJson || error.exitCode === 0))
      return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    frame.fail(
      error instanceof CommanderError ? misunderstood(error) : error,
      new Output(io, { json: isJson }),
    );
    return frame.exitCode;
  }
}

function misunderstood({ code, message }: CommanderError): CommandError {
  // Else commander would answer with the help.
  if (code === "commander.help") return usageError("no command was given: everstep help lists them");
  return usageError(message.replace(/^error: /, ""));
}

/** `isJson`: what can't be understood is not told in text. */
export function programOf(frame: Frame, { isJson = false }: { readonly isJson?: boolean } = {}): Command {
  const program = new Command("everstep");
  // Before any command is made: they inherit it.
  configure(program, frame.io, isJson);
  program
    .description(
      "See what durable runs do, why they are stuck, and mend them: straight on the store, without the workflows' code.",
    )
    .version(manifest.version, "-V, --version", "print the version")
    .option(
      "-s, --store <url>",
      "shop.db, sqlite:path or postgres://…?schema=everstep; else EVERSTEP_STORE, else everstep.config.json",
    )
    .option("--codec <module>", "a module that exports `codec`, where values are sealed; else EVERSTEP_CODEC")
    .option("--json", "answer with JSON: a stable contract, see docs/cli.md")
    .option("--no-color", "no colours, as with NO_COLOR");
  addLooking(program, frame);
  addChanging(program, frame);
  addCompletion(program, frame);
  program.addHelpCommand(
    new Command("help").argument("[command]").description("what a command does").helpGroup(LAST_GROUP),
  );
  return program;
}

/** Narrower, commander itself lays nothing out any more. A new pseudo-terminal has no width. */
function helpWidth({ columns }: Sink): number {
  return columns === undefined || columns === 0 ? WIDTH : Math.min(columns, WIDTH_MAX);
}

function configure(program: Command, io: Io, isJson: boolean): void {
  program
    .exitOverride()
    .showHelpAfterError("(--help says more; an id that begins with - is given after --)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => {
        if (!isJson) io.stderr.write(safeText(text));
      },
      getOutHelpWidth: () => helpWidth(io.stdout),
      getErrHelpWidth: () => helpWidth(io.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}
