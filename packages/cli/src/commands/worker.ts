/** `worker` and `dev`: processes that execute runs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Logger, Workflow } from "@everstep/core";
import { type Command, Option } from "commander";
import { withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import type { Frame, GlobalOptions, Output, StorelessWork } from "../frame.ts";
import { parseCount, parseDuration } from "../human.ts";
import { loadWorkflows } from "../input/workflows-module.ts";
import type { Screen } from "../render/screen.ts";
import { safeText } from "../safe-text.ts";
import { locate, locateCodec } from "../store/location.ts";

interface Options {
  readonly workflows: string;
  readonly concurrency?: string;
  readonly grace?: string;
  readonly quiet?: boolean;
}

export function addWorker(program: Command, frame: Frame): void {
  const worker = addOptions(program.command("worker"))
    .summary("execute runs of a module's workflows until SIGTERM or Ctrl-C")
    .description(
      "Executes runs of the module's workflows until SIGTERM or Ctrl-C; then it lets go of them in order, so that other workers go on at once. A store that is not there is created.",
    )
    .action(frame.withoutStore<Options>(work));
  withExamples(worker, [
    ["worker --workflows ./workflows.ts", "on the project's store"],
    ["worker --workflows ./workflows.ts --concurrency 20 --json", "with logs as JSON, a line each"],
  ]);
  const dev = addOptions(program.command("dev"))
    .summary("a worker that starts again when a file of its workflows changes")
    .description(
      "A worker that starts again when the module changes, or a file that it imports. Runs go on where they were, if the new code fits them: `check` says so beforehand.",
    )
    .action(frame.withoutStore<Options>(develop));
  withExamples(dev, [["dev --workflows ./workflows.ts", "while you write them"]]);
}

function addOptions(command: Command): Command {
  return command
    .requiredOption(
      "--workflows <module>",
      "the module that exports the workflows; `codec` as well, if it has one",
    )
    .option("--concurrency <count>", "runs in memory at a time; default 100")
    .option(
      "--grace <duration>",
      "how long bodies may go on after SIGTERM before they are aborted; default 10s",
    )
    .addOption(new Option("--quiet", "warnings and errors only"));
}

const work: StorelessWork<Options> = async ({ out, io, options }) => {
  const location = locate(options, io);
  const [{ Worker }, { loadCodec, openDriver }, module] = await Promise.all([
    import("@everstep/core"),
    import("../store/open.ts"),
    loadWorkflows(options.workflows, io.cwd),
  ]);
  const codecPath = locateCodec(options, io);
  const codec = codecPath === undefined ? module.codec : await loadCodec(codecPath);
  const store = await openDriver(location, { isMade: false });
  const logger = loggerTo(out, options.quiet === true);
  try {
    const worker = new Worker({
      store,
      workflows: module.workflows,
      logger,
      ...(codec === undefined ? {} : { codec }),
      ...(options.concurrency === undefined
        ? {}
        : { concurrency: parseCount(options.concurrency, "--concurrency") }),
    });
    const graceMs = options.grace === undefined ? undefined : parseDuration(options.grace, "--grace");
    await worker.start();
    logger.info(`executes ${namesOf(module.workflows)} on ${location.name}; Ctrl-C stops it`);
    if (!io.interrupted.aborted) await once(io.interrupted, "abort");
    logger.info("stops: lets go of its runs");
    const living = await worker.stop(graceMs === undefined ? {} : { grace: graceMs });
    if (living.length === 0) return EXIT.done;
    logger.warn(
      `bodies that ignore their signal still execute: ${living.join(", ")}; they end with this process`,
    );
    return EXIT.failed;
  } finally {
    await store.close();
  }
};

function namesOf(workflows: readonly Workflow[]): string {
  return workflows.map(({ name, version }) => `${name}@${version}`).join(", ");
}

interface LogLine {
  readonly at: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function loggerTo(out: Output, isQuiet: boolean): Logger {
  const to =
    (level: LogLine["level"]): Logger["info"] =>
    (message, fields = {}) => {
      if (isQuiet && (level === "debug" || level === "info")) return;
      out.showLine<LogLine>({ at: new Date().toISOString(), level, message, fields }, logText);
    };
  return { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
}

const LEVEL_COLOURS = { debug: "gray", info: undefined, warn: "yellow", error: "red" } as const;

function logText({ at, level, message, fields }: LogLine, screen: Screen): string {
  const rest = Object.keys(fields).length === 0 ? "" : ` ${safeText(JSON.stringify(fields))}`;
  return `${screen.paint("gray", at)} ${screen.paint(LEVEL_COLOURS[level], level.padEnd(5))} ${message}${screen.paint("gray", rest)}\n`;
}

// --------------------------------------------------------------------------------------- dev

/** Node.js itself watches what the process has loaded, and starts it again. */
const develop: StorelessWork<Options> = async ({ io, options }): Promise<ExitCode> => {
  locate(options, io);
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      "--watch",
      "--watch-preserve-output",
      process.argv[1] ?? "",
      "worker",
      ...wordsOf(options),
    ],
    { stdio: "inherit", cwd: io.cwd, env: { ...io.env } },
  );
  const end = (): void => void child.kill("SIGTERM");
  io.interrupted.addEventListener("abort", end, { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  return io.interrupted.aborted || code === 0 ? EXIT.done : EXIT.failed;
};

function wordsOf({
  workflows,
  concurrency,
  grace,
  quiet,
  store,
  codec,
  json,
}: Options & GlobalOptions): readonly string[] {
  const given = { workflows, concurrency, grace, store, codec };
  const words = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return [...words, ...(quiet === true ? ["--quiet"] : []), ...(json === true ? ["--json"] : [])];
}
