import { setTimeout as delay } from "node:timers/promises";
import { Child, type Exit } from "./child.ts";
import { FALLEN, isLeaving, type Trap } from "./crash-points.ts";
import type { Answer, Request } from "./requests.ts";
import type { WorkerNews, WorkerOrder, WorkerSettings } from "./worker-process.ts";

export interface SlotOptions extends Omit<WorkerSettings, "traps"> {
  /** Where compiled code is kept. */
  readonly cache: string;
}

/** As SQLite and Postgres put it. */
const FULL_DISK = /^failed .*(?:SQLITE_FULL|SQLITE_IOERR|\(53100\))/gm;

/** A place for a worker's process. When that ends, as it is meant to again and again, the next one is started at once. */
export class WorkerSlot {
  readonly #options: SlotOptions;
  /** What must not happen: a process that ends without being told to, or complains. */
  readonly problems: string[] = [];
  readonly #requests = new Map<number, (answer: Answer) => void>();
  #child: Child;
  #ready: PromiseWithResolvers<void>;
  #lastNo = 0;
  #condemned: Child | undefined;
  /** It kills itself when it comes to one of its traps. */
  #trapped: Child | undefined;
  /** For the process that is started next. */
  #nextTraps: readonly Trap[] = [];
  #drained: Child | undefined;
  #stopping = false;
  restarts = 0;
  /** Calls of the store that were refused for want of space. */
  fullDisks = 0;

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

  /** Requests that have had no answer. */
  get unanswered(): number {
    return this.#requests.size;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#condemned = child;
    await child.kill();
  }

  /** Answers with the one that it fell into; undefined: it came to none of them in time, and lives on. */
  async trap(traps: readonly Trap[], withinMs: number): Promise<string | undefined> {
    const child = this.#child;
    this.#trapped = child;
    this.#order(child, { traps });
    if (traps.some(isLeaving)) {
      this.#drained = child;
      child.signal("SIGTERM");
    }
    return this.#falls(child, withinMs);
  }

  /** The same for a new process, from its beginning. */
  async trapNext(traps: readonly Trap[], withinMs: number): Promise<string | undefined> {
    this.#nextTraps = traps;
    await this.kill();
    const child = this.#child;
    this.#trapped = child;
    return this.#falls(child, withinMs);
  }

  freeze(): void {
    this.#child.signal("SIGSTOP");
  }

  thaw(): void {
    this.#child.signal("SIGCONT");
  }

  /** It gets time to end in order, as in a deploy. Its successor is started when it has ended. */
  async drain(withinMs: number): Promise<void> {
    const child = this.#child;
    this.#drained = child;
    child.signal("SIGTERM");
    await this.#ends(child, withinMs);
  }

  request(request: Request): Promise<Answer> {
    this.#lastNo += 1;
    const no = this.#lastNo;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#requests.set(no, resolve);
    this.#order(this.#child, { request: { no, request } });
    return promise;
  }

  /** For good, and in order. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    await this.ready;
    this.#order(this.#child, { stop: true });
    await this.#ends(this.#child, withinMs);
  }

  /** For a test that gives up. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    await this.kill();
  }

  async #falls(child: Child, withinMs: number): Promise<string | undefined> {
    const late = new AbortController();
    const timeout = delay(withinMs, undefined, { signal: late.signal });
    timeout.catch(() => {});
    const exit = await Promise.race([child.exited, timeout]);
    late.abort();
    if (exit === undefined) this.#order(child, { traps: [] });
    return exit?.said
      .split("\n")
      .findLast((line) => line.startsWith(FALLEN))
      ?.slice(FALLEN.length + 1);
  }

  async #ends(child: Child, withinMs: number): Promise<void> {
    const late = setTimeout(() => {
      this.problems.push(`L5 worker ${child.pid} did not end within ${withinMs} ms of its stop()`);
      this.#condemned = child;
      child.kill().catch(() => {});
    }, withinMs);
    await child.exited;
    clearTimeout(late);
  }

  #start(): Child {
    const { cache, ...options } = this.#options;
    const settings: WorkerSettings = { ...options, traps: this.#nextTraps };
    this.#nextTraps = [];
    const child: Child = new Child("./worker-process.ts", {
      args: [JSON.stringify(settings)],
      cache,
      onNews: (news) => this.#heard(news as WorkerNews),
      onExit: (exit) => this.#ended(child, exit),
    });
    return child;
  }

  #ended(child: Child, exit: Exit): void {
    const { code, signal, said, complaints, leaks } = exit;
    this.fullDisks += said.match(FULL_DISK)?.length ?? 0;
    this.problems.push(...leaks.map((line) => `I20 worker ${child.pid} said: ${line}`));
    const isKilled = (this.#condemned === child || this.#trapped === child) && signal === "SIGKILL";
    const isInOrder = (this.#stopping || this.#drained === child) && code === 0;
    if (!isKilled && !isInOrder)
      this.problems.push(
        `L5 worker ${child.pid} ended by itself (code ${code}, signal ${signal}): ${complaints}`,
      );
    else if (complaints !== "") this.problems.push(`L5 worker ${child.pid} complained: ${complaints}`);
    for (const answer of this.#requests.values()) answer("unknown");
    this.#requests.clear();
    this.#ready.resolve();
    if (this.#stopping) return;
    this.#ready = Promise.withResolvers();
    this.#child = this.#start();
    this.restarts += 1;
  }

  #heard({ ready, answered }: WorkerNews): void {
    if (ready === true) this.#ready.resolve();
    if (answered === undefined) return;
    const { no, answer } = answered;
    this.#requests.get(no)?.(answer);
    this.#requests.delete(no);
  }

  #order(child: Child, order: WorkerOrder): void {
    child.tell(order);
  }
}
