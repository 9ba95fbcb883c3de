import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How long a program may take until it listens, before it is killed. */
const START_MS = 30_000;

/** What a program tells whoever started it. */
export interface News {
  /** Its port of HTTP, once it listens. */
  readonly listening?: number;
  /** Of the mail server, beside. */
  readonly smtp?: number;
  /** Of the Stripe simulator: the order whose charge it has executed and not answered. */
  readonly held?: string;
}

/** One of the demo's own processes: a program beside `demo.ts`, which tells its port once it listens. */
export class Child {
  readonly port: number;
  /** Its first news. */
  readonly news: News;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #complaints: string[];

  private constructor(process: ChildProcess, news: News, complaints: string[]) {
    this.#process = process;
    this.news = news;
    this.port = news.listening ?? Number.NaN;
    // It has listened, so it has been there.
    this.pid = process.pid ?? Number.NaN;
    this.#complaints = complaints;
  }

  /** Node's own flags are passed on; the channel between the two ends the child should the demo die. */
  static async start(
    program: string,
    options: {
      readonly arguments?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly onNews?: (news: News) => void;
    } = {},
  ): Promise<Child> {
    const path = fileURLToPath(new URL(`../${program}`, import.meta.url));
    const { STRIPE_SECRET_KEY: _, ...inherited } = process.env;
    const child = fork(path, options.arguments ?? [], {
      env: { ...inherited, ...options.env },
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    const complaints: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => complaints.push(text));
    const patience = setTimeout(() => child.kill("SIGKILL"), START_MS);
    const news = await new Promise<News>((resolve, reject) => {
      child.on("message", (message) => {
        if (!isNews(message)) return;
        if (message.listening !== undefined) resolve(message);
        options.onNews?.(message);
      });
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new Error(`${program} ended with ${code ?? signal}:\n${complaints.join("")}`)),
      );
    }).finally(() => clearTimeout(patience));
    return new Child(child, news, complaints);
  }

  /** What it wrote to its standard error. */
  get complaints(): string {
    return this.#complaints.join("");
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Reads what it answers as JSON. */
  async ask<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`);
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
    return (await response.json()) as Answer;
  }

  async tell(path: string, wish: object = {}): Promise<void> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${this.url}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(wish),
    });
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
    await response.arrayBuffer();
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

function isNews(message: unknown): message is News {
  return typeof message === "object" && message !== null;
}
