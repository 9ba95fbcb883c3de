import { Child } from "./child.ts";

/** The processes of the shop's service, which are killed and started again on the same database. */
export class ServiceProcesses {
  readonly #env: Readonly<Record<string, string>>;
  readonly #count: number;
  /** Those that are up, the oldest first. */
  #children: Child[] = [];
  #starting = 0;
  #complaints = "";
  #turn = 0;
  kills = 0;

  constructor({ env, count }: { readonly env: Readonly<Record<string, string>>; readonly count: number }) {
    this.#env = env;
    this.#count = count;
  }

  /** Where one of them listens, by turns; undefined while all are down. */
  get url(): string | undefined {
    this.#turn += 1;
    const child = this.#children[this.#turn % this.#children.length];
    return child && `http://127.0.0.1:${child.port}`;
  }

  /** All that they have written to their standard errors today. */
  get complaints(): string {
    return this.#complaints + this.#children.map(({ complaints }) => complaints).join("");
  }

  get up(): number {
    return this.#children.length;
  }

  /** Those that are missing, and have not been started by another call. */
  async start(): Promise<void> {
    const missing = this.#count - this.#children.length - this.#starting;
    await Promise.all(Array.from({ length: missing }, () => this.#startOne()));
  }

  /** The process with this id, else the oldest; answers its id. Throws when one had died before: it is not to die of anything else. */
  async kill(pid?: number): Promise<number> {
    const victim = this.#children.find((child) => child.pid === pid) ?? this.#children[0];
    if (victim?.alive !== true) throw new Error(`the service ended by itself:\n${this.complaints}`);
    await this.#end(victim, "SIGKILL");
    this.kills += 1;
    return victim.pid;
  }

  /** All of them at once. */
  async killAll(): Promise<number[]> {
    return Promise.all(this.#children.map(({ pid }) => this.kill(pid)));
  }

  /** Answers the exit codes of those that were up; null for one that the signal ended. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<(number | null)[]> {
    return Promise.all(this.#children.map((child) => this.#end(child, signal)));
  }

  async #startOne(): Promise<void> {
    this.#starting += 1;
    try {
      const child = await Child.start("service.ts", { env: this.#env });
      this.#children.push(child);
    } finally {
      this.#starting -= 1;
    }
  }

  async #end(child: Child, signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    this.#children = this.#children.filter((other) => other !== child);
    const code = await child.end(signal);
    this.#complaints += child.complaints;
    return code;
  }
}
