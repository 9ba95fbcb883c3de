import { Child } from "./child.ts";
import { type LedgerEvent, type Mark, readLedger } from "./ledger-events.ts";
import type { LedgerNews, LedgerOrder } from "./ledger-process.ts";

/** An aimed shot that finds no effect is fired all the same after so long. */
const AIM_MS = 500;

/** The test's end of the ledger's process. */
export class Ledger {
  readonly file: string;
  readonly #child: Child;
  readonly #caught = new Map<number, () => void>();
  readonly #frozen = new Map<number, () => void>();
  /** Rejects when the process ends without having been told to. */
  readonly died: Promise<never>;
  #port = 0;
  #listening: (() => void) | undefined;
  #finishing = false;

  private constructor(file: string, cache: string) {
    this.file = file;
    this.#child = new Child("./ledger-process.ts", {
      args: [file],
      cache,
      onNews: (news) => this.#heard(news as LedgerNews),
      onExit: () => {},
    });
    this.died = new Promise((_resolve, reject) => {
      this.#child.exited.then(
        ({ code, complaints }) =>
          this.#finishing || reject(new Error(`the ledger ended (code ${code}): ${complaints}`)),
        reject,
      );
    });
    this.died.catch(() => {});
  }

  static async start(file: string, cache: string): Promise<Ledger> {
    const ledger = new Ledger(file, cache);
    const listening = new Promise<void>((resolve) => {
      ledger.#listening = resolve;
    });
    await Promise.race([listening, ledger.died]);
    return ledger;
  }

  get port(): number {
    return this.#port;
  }

  /** Answers true as soon as the process waits between an effect and its journal entry; false when it did not come so far in time. */
  aim(pid: number, skip: number): Promise<boolean> {
    this.#order({ aim: { pid, skip } });
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), AIM_MS);
      this.#caught.set(pid, () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** Resolves when it is written down: then the process may be stopped. */
  froze(pid: number): Promise<void> {
    this.#order({ froze: pid });
    return new Promise((resolve) => this.#frozen.set(pid, resolve));
  }

  thawed(pid: number): void {
    this.#order({ thawed: pid });
  }

  mark(marks: readonly Mark[]): void {
    if (marks.length > 0) this.#order({ marks });
  }

  /** All that it wrote down, and the end of its process. */
  async finish(): Promise<readonly LedgerEvent[]> {
    this.#finishing = true;
    this.#order({ finish: true });
    await this.#child.exited;
    return readLedger(this.file);
  }

  async kill(): Promise<void> {
    this.#finishing = true;
    await this.#child.kill();
  }

  #order(order: LedgerOrder): void {
    this.#child.tell(order);
  }

  #heard({ listening, caught, froze }: LedgerNews): void {
    if (listening !== undefined) {
      this.#port = listening;
      this.#listening?.();
    }
    if (caught !== undefined) this.#caught.get(caught)?.();
    if (froze !== undefined) this.#frozen.get(froze)?.();
  }
}
