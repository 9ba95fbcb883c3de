import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How long a program may take until it listens, before it is killed. */
const START_MS = 30_000;

/** One of the demo's own processes: a program beside `demo.ts`, which tells its port once it listens. */
export class Child {
  readonly port: number;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #complaints: string[];

  private constructor(process: ChildProcess, port: number, complaints: string[]) {
    this.#process = process;
    this.port = port;
    // It has listened, so it has been there.
    this.pid = process.pid ?? Number.NaN;
    this.#complaints = complaints;
  }

  /** Node's own flags are passed on; the channel between the two ends the child should the demo die. */
  static async start(
    program: string,
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly onHeld?: (orderId: string) => void;
    } = {},
  ): Promise<Child> {
    const path = fileURLToPath(new URL(`../${program}`, import.meta.url));
    const { STRIPE_SECRET_KEY: _, ...inherited } = process.env;
    const child = fork(path, {
      env: { ...inherited, ...options.env },
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    const complaints: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => complaints.push(text));
    const patience = setTimeout(() => child.kill("SIGKILL"), START_MS);
    const port = await new Promise<number>((resolve, reject) => {
      child.on("message", (message) => {
        if (isNews(message) && message.listening !== undefined) resolve(message.listening);
        if (isNews(message) && message.held !== undefined) options.onHeld?.(message.held);
      });
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new Error(`${program} ended with ${code ?? signal}:\n${complaints.join("")}`)),
      );
    }).finally(() => clearTimeout(patience));
    return new Child(child, port, complaints);
  }

  /** What it wrote to its standard error. */
  get complaints(): string {
    return this.#complaints.join("");
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Ends it and waits for the end; answers its exit code, null when the signal ended it. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    if (!this.alive) return this.#process.exitCode;
    const exit = once(this.#process, "exit");
    this.#process.kill(signal);
    await exit;
    return this.#process.exitCode;
  }
}

interface News {
  readonly listening?: number;
  readonly held?: string;
}

function isNews(message: unknown): message is News {
  return typeof message === "object" && message !== null;
}
