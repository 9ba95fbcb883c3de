// Terminals as a reader has them: a shell of its own each, in which programs stay and Ctrl-C ends them.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";

/** The pseudo-terminal is Python's: Node.js has none without a native module. */
const PTY = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
const SHELL = ["sh", "-c", "stty -echo cols 100 rows 40; exec bash --norc --noprofile --noediting", "sh"];

export const hasTerminals: boolean = ["python3", "bash", "curl"].every(
  (program) => spawnSync(program, ["--version"]).status === 0,
);

/** Without what the test runner and pnpm tell their own children. */
function readersEnvironment(): NodeJS.ProcessEnv {
  const own =
    /^(?:npm_(?:package|lifecycle|command|execpath|node_execpath)|VITEST|NODE_ENV|NODE_OPTIONS|CI$|DEV$|EVERSTEP_|FORCE_COLOR)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return {
    ...Object.fromEntries(kept),
    NO_COLOR: "1",
    TERM: "dumb",
    NODE_NO_WARNINGS: "1",
    PS1: "",
    PS2: "",
    HISTFILE: "",
  };
}

/** What the shell shows when it waits for a command: left out of what the reader sees. */
const PROMPT = "\n--- ready\n";

const POLL_MS = 20;
const PATIENCE_MS = 20_000;

export class Terminal {
  readonly #child: ChildProcess;
  /** What nobody has looked at yet. */
  #unseen = "";
  #commands = 0;

  private constructor(folder: string) {
    this.#child = spawn("python3", ["-c", PTY, ...SHELL], { cwd: folder, env: readersEnvironment() });
    this.#child.stdout?.setEncoding("utf8");
    this.#child.stdout?.on("data", (text: string) => {
      this.#unseen += stripVTControlCharacters(text).replaceAll("\r", "");
    });
  }

  static async open(folder: string): Promise<Terminal> {
    const terminal = new Terminal(folder);
    await terminal.run(`PS1=$'${PROMPT.replaceAll("\n", "\\n")}' PS2=\n`, PATIENCE_MS);
    return terminal;
  }

  get unseen(): string {
    return this.#unseen.replaceAll(PROMPT, "");
  }

  /** Ctrl-C. Resolves when the shell waits for a command: what is typed before that may be lost. */
  async interrupt(): Promise<void> {
    this.#unseen = "";
    this.type("\u0003");
    const ready = await this.until(() => this.#unseen.includes(PROMPT) || undefined, PATIENCE_MS);
    if (ready === undefined) throw new Error(`Ctrl-C did not end it:\n${this.#unseen}`);
    this.#unseen = "";
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Types lines, waits for their end, and answers what they showed and how the last of them ended. */
  async run(
    lines: string,
    patienceMs: number,
  ): Promise<{ readonly status: number; readonly output: string }> {
    const mark = `--- ${++this.#commands} ended with `;
    this.type(`${lines}printf '\\n${mark}%s.\\n' "$?"\n`);
    const ended = await this.until(
      (text) => new RegExp(`\\n${mark}(\\d+)\\.\\n`).exec(text) ?? undefined,
      patienceMs,
    );
    if (ended === undefined) throw new Error(`this has not ended:\n${lines}\n${this.#unseen}`);
    const output = this.unseen.slice(0, ended.index);
    this.#unseen = this.unseen.slice(ended.index + ended[0].length);
    return { status: Number(ended[1]), output };
  }

  /** The first answer of `look` at what is unseen that is not undefined; undefined when there is none in time. */
  async until<T>(look: (unseen: string) => T | undefined, patienceMs: number): Promise<T | undefined> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const answer = look(this.unseen);
      if (answer !== undefined || Date.now() > deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  looked(rest: string): void {
    this.#unseen = rest;
  }

  /** The window is closed: what runs in it gets SIGHUP. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "close");
  }
}
