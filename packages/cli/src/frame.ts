/** What all commands share: the store, what is printed and how, and what becomes of errors. */
import type { Client, Store } from "@everstep/core";
import type { Command } from "commander";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { failureOf } from "./failure.ts";
import type { Io } from "./io.ts";
import { type Screen, screenOf } from "./render/screen.ts";
import { safeData, safeJson, safeText } from "./safe-text.ts";
import { locate, locateCodec, type Location, type StoreOptions } from "./store/location.ts";

/** Options that every command has. */
export interface GlobalOptions extends StoreOptions {
  readonly json?: boolean;
  readonly color?: boolean;
}

/** How a command answers. */
export class Output {
  readonly io: Io;
  readonly isJson: boolean;

  readonly #options: GlobalOptions;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.isJson = options.json === true;
    this.#options = options;
  }

  /** Of this moment: a terminal may be resized, and time passes. */
  get screen(): Screen {
    return screenOf(this.io, this.#options);
  }

  /** The command's document: plain JSON, the stable contract of `--json`; or what `render` makes of it, neutralised. */
  show<T>(document: T, render: (document: T, screen: Screen) => string): void {
    if (this.isJson) this.io.stdout.write(`${safeJson(document, 2)}\n`);
    else this.io.stdout.write(render(safeData(document), this.screen));
  }

  /** One of many documents that come one after the other: JSON, a line each. */
  showLine<T>(document: T, render: (document: T, screen: Screen) => string): void {
    if (this.isJson) this.io.stdout.write(`${safeJson(document)}\n`);
    else this.io.stdout.write(render(safeData(document), this.screen));
  }

  /** What is said beside the answer. */
  note(text: string): void {
    this.io.stderr.write(`${safeText(text)}\n`);
  }
}

/** A command with its store open. */
export interface Session<Options> {
  readonly client: Client;
  readonly store: Store;
  readonly location: Location;
  readonly out: Output;
  readonly io: Io;
  readonly options: Options & GlobalOptions;
  /** The words of the command line that are no options. */
  readonly args: readonly string[];
}

type Answer = Promise<ExitCode | void>;
export type Work<Options> = (session: Session<Options>) => Answer;
export type StorelessWork<Options> = (
  session: Omit<Session<Options>, "client" | "store" | "location">,
) => Answer;

export class Frame {
  readonly io: Io;
  exitCode: ExitCode = EXIT.done;

  constructor(io: Io) {
    this.io = io;
  }

  /** An action of commander's, with the store open while it works. */
  withStore<Options = unknown>(work: Work<Options>): (...all: readonly unknown[]) => Promise<void> {
    return this.withoutStore<Options>(async (session) => {
      const location = locate(session.options, this.io);
      const codec = locateCodec(session.options, this.io);
      const { openStore } = await import("./store/open.ts");
      const { client, store } = await openStore(location, codec);
      try {
        return await work({ ...session, client, store, location });
      } finally {
        await store.close();
      }
    });
  }

  withoutStore<Options = unknown>(
    work: StorelessWork<Options>,
  ): (...all: readonly unknown[]) => Promise<void> {
    return async (...all) => {
      const command = all.at(-1) as Command;
      const options = command.optsWithGlobals<Options & GlobalOptions>();
      const out = new Output(this.io, options);
      try {
        const code = await work({ out, io: this.io, options, args: argsOf(command) });
        if (code !== undefined) this.exitCode = code;
      } catch (error) {
        this.fail(error, out);
      }
    };
  }

  fail(error: unknown, out: Output): void {
    const { exitCode, error: what, stack } = failureOf(error);
    this.exitCode = exitCode;
    if (out.isJson) this.io.stderr.write(`${safeJson({ error: what })}\n`);
    else out.note(`everstep: ${what.message}`);
    if (stack !== undefined && this.io.env["EVERSTEP_DEBUG"] !== undefined) out.note(stack);
  }
}

/** Variadic arguments are lists. */
function argsOf(command: Command): readonly string[] {
  return (command.processedArgs as readonly unknown[]).flat().filter((arg) => typeof arg === "string");
}
