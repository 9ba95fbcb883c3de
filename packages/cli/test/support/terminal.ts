/** A command in a terminal of its own, at which somebody types. The pseudo-terminal is Python's: Node.js has none without a native module. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { onTestFinished } from "vitest";
import { eventually } from "./operator.ts";

const PTY = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/** A new one has no size. */
const SIZED = ["sh", "-c", 'stty cols 100 rows 40; exec "$@"', "sh"];

export const hasTerminals: boolean = spawnSync("python3", ["-c", "import pty"]).status === 0;

export class Terminal {
  #seen = "";
  readonly #child: ReturnType<typeof spawn>;

  constructor(
    words: readonly string[],
    {
      store,
      cwd,
      env = {},
    }: { readonly store: string; readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
  ) {
    const main = join(import.meta.dirname, "../../src/main.ts");
    const line = [process.execPath, "--conditions=@everstep/source", main, ...words];
    this.#child = spawn("python3", ["-c", PTY, ...SIZED, ...line], {
      cwd,
      env: { ...process.env, EVERSTEP_STORE: store, TERM: "xterm", ...env },
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.#seen += chunk.toString()));
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  /** As it was written. */
  get raw(): string {
    return this.#seen;
  }

  /** What was written, without colours and movements. */
  get text(): string {
    return stripVTControlCharacters(this.#seen);
  }

  async until(text: string): Promise<void> {
    await eventually(`the terminal shows ${text}: ${this.text}`, () => this.text.includes(text));
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** The command's exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, "close");
    return this.#child.exitCode;
  }
}
