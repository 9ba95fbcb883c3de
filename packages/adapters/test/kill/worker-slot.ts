import { Child, type Exit } from "./child.ts";
import type { StartOrder, WorkerNews, WorkerOrder } from "./worker-process.ts";

/** How a request to a worker's process came out. `unknown`: it was killed before it answered. */
export type Answer = "ok" | "unknown" | { readonly error: string };

export interface SlotOptions {
  readonly file: string;
  readonly port: number;
  readonly cache: string;
}

/** A place for a worker's process. When that is killed, the next one is started at once. */
export class WorkerSlot {
  readonly #options: SlotOptions;
  /** What must not happen: a process that ends without being killed, or complains. */
  readonly problems: string[] = [];
  readonly #requests = new Map<number, (answer: Answer) => void>();
  #child: Child;
  #ready: PromiseWithResolvers<void>;
  #lastNo = 0;
  #condemned: Child | undefined;
  #stopping = false;
  kills = 0;
  restarts = 0;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#ready = Promise.withResolvers();
    this.#child = this.#start();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The present process works, or has ended. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#condemned = child;
    this.kills += 1;
    await child.kill();
  }

  request(order: Omit<StartOrder, "no">): Promise<Answer> {
    this.#lastNo += 1;
    const no = this.#lastNo;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#requests.set(no, resolve);
    this.#order(this.#child, { start: { ...order, no } });
    return promise;
  }

  /** In order. Answers false when the process has not ended by itself in time. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    await this.ready;
    this.#order(this.#child, { stop: true });
    const late = setTimeout(() => {
      this.problems.push(`L5 a worker did not end within ${withinMs} ms of its stop()`);
      this.kill().catch(() => {});
    }, withinMs);
    await this.#child.exited;
    clearTimeout(late);
  }

  /** For a test that gives up. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    await this.kill();
  }

  #start(): Child {
    const { file, port, cache } = this.#options;
    const child: Child = new Child("./worker-process.ts", {
      args: [file, String(port)],
      cache,
      onNews: (news) => this.#heard(news as WorkerNews),
      onExit: (exit) => this.#ended(child, exit),
    });
    return child;
  }

  #ended(child: Child, exit: Exit): void {
    const { code, signal, complaints } = exit;
    const isKilled = this.#condemned === child && signal === "SIGKILL";
    if (!isKilled && !(this.#stopping && code === 0))
      this.problems.push(`L5 a worker ended by itself (code ${code}, signal ${signal}): ${complaints}`);
    else if (complaints !== "") this.problems.push(`L5 a worker complained: ${complaints}`);
    for (const answer of this.#requests.values()) answer("unknown");
    this.#requests.clear();
    this.#ready.resolve();
    if (this.#stopping) return;
    this.#ready = Promise.withResolvers();
    this.#child = this.#start();
    this.restarts += 1;
  }

  #heard({ ready, started }: WorkerNews): void {
    if (ready === true) this.#ready.resolve();
    if (started === undefined) return;
    this.#requests.get(started.no)?.(started.error === undefined ? "ok" : { error: started.error });
    this.#requests.delete(started.no);
  }

  #order(child: Child, order: WorkerOrder): void {
    child.tell(order);
  }
}
