import { Child } from "./child.ts";

/** The shop's service, which is killed and started again on the same files. */
export class ServiceProcess {
  readonly #env: Readonly<Record<string, string>>;
  #child: Child | undefined;
  #complaints = "";
  kills = 0;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** Where it listens now; undefined while it is down. */
  get url(): string | undefined {
    return this.#child && `http://127.0.0.1:${this.#child.port}`;
  }

  /** All that it has written to its standard error today. */
  get complaints(): string {
    return this.#complaints + (this.#child?.complaints ?? "");
  }

  async start(): Promise<void> {
    this.#child = await Child.start("service.ts", { env: this.#env });
  }

  /** Throws when it had died before: it is not to die of anything else. */
  async kill(): Promise<void> {
    if (this.#child?.alive !== true) throw new Error(`the service ended by itself:\n${this.complaints}`);
    await this.end("SIGKILL");
    this.kills += 1;
  }

  /** Its exit code; null when there is none. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    const code = await child?.end(signal);
    this.#complaints += child?.complaints ?? "";
    return code ?? null;
  }
}
