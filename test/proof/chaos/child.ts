import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { CANARY } from "./canary.ts";

export interface ChildOptions {
  readonly args: readonly string[];
  /** Where compiled code is kept: a process starts four times as fast with it. */
  readonly cache: string;
  readonly onNews: (news: unknown) => void;
  readonly onExit: (exit: Exit) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote to its standard output. */
  readonly said: string;
  /** What it wrote to its standard error. */
  readonly complaints: string;
  /** I20: where in its output the secret is. */
  readonly leaks: readonly string[];
}

const living = new Set<ChildProcess>();
// One that is frozen when the test is broken off would stay for ever.
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

const { resolve: resolvePackage } = createRequire(import.meta.url);

/** One process, from one of the programs in this folder, or of a package. */
export class Child {
  readonly #process: ChildProcess;
  readonly exited: Promise<Exit>;

  constructor(program: string, { args, cache, onNews, onExit }: ChildOptions) {
    const file = program.startsWith("./")
      ? fileURLToPath(new URL(program, import.meta.url))
      : resolvePackage(program);
    this.#process = fork(file, [...args], {
      execArgv: ["--conditions=@everstep/source"],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    living.add(this.#process);
    let complaints = "";
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaints += text;
    });
    let said = "";
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    this.#process.on("message", onNews);
    this.exited = new Promise((resolve) => {
      // Not `exit`: what it has sent and written before is read first.
      this.#process.once("close", (code, signal) => {
        living.delete(this.#process);
        const leaks = [said, complaints].flatMap((text) => leaksIn(text));
        resolve({ code, signal, said, complaints, leaks });
      });
    });
    this.exited.then(onExit, () => {});
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Lost without a word when the process is dead. */
  tell(order: object): void {
    if (this.#process.connected) this.#process.send(order, () => {});
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return this.exited;
  }
}

function leaksIn(output: string): string[] {
  return output.split("\n").filter((line) => line.includes(CANARY));
}
