/** What a command has of the world: tests give it another one. */
import type { Readable } from "node:stream";
import { EXIT } from "./exit-code.ts";

/** Where text goes. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly now: () => number;
  /** Aborted when the person wants it to end: a command that goes on until then ends in order. */
  readonly interrupted: AbortSignal;
}

export function processIo(process: NodeJS.Process): Io {
  const { stdout, stderr, stdin, env } = process;
  stdout.on("error", (error: NodeJS.ErrnoException) => endOutput(error, stderr));
  // Nobody is left who could be told.
  stderr.on("error", () => process.exit(EXIT.failed));
  return {
    stdout,
    stderr,
    stdin,
    env,
    cwd: process.cwd(),
    now: Date.now,
    get interrupted() {
      return interruptionOf(process);
    },
  };
}

/** Whoever reads the output has seen enough, as `head` has; or it can't be written, as on a full disk. */
function endOutput(error: NodeJS.ErrnoException, stderr: Sink): void {
  if (error.code === "EPIPE") process.exit();
  stderr.write(`everstep: the answer could not be written: ${error.message}\n`);
  process.exit(EXIT.failed);
}

let interruption: AbortSignal | undefined;

/** From the first command on that asks for it; a second Ctrl-C ends the process as usual. */
function interruptionOf(process: NodeJS.Process): AbortSignal {
  if (interruption === undefined) {
    const controller = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
    interruption = controller.signal;
  }
  return interruption;
}
