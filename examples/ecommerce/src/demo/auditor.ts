import type { Client, RunSummary } from "@everstep/core";
import type { EffectLedger } from "../books/effect-ledger.ts";
import type { Evidence } from "../books/evidence.ts";

const PAGE = 500;

/** Reads the journals, while the service works and while it is dead, and marks in the ledger which results they hold. */
export class Auditor {
  readonly #client: Client;
  readonly #ledger: EffectLedger;
  readonly #marked = new Set<string>();
  /** Runs that had ended when they were read: nothing is added to their journals. */
  readonly #closed = new Set<string>();
  /** Orders that are behind their point of no return. */
  readonly #confirmed = new Set<string>();

  constructor(client: Client, ledger: EffectLedger) {
    this.#client = client;
    this.#ledger = ledger;
  }

  /** Marks what is journaled by now. */
  async look(): Promise<void> {
    for (const { id, endedAt } of await this.runs()) {
      if (this.#closed.has(id)) continue;
      const { journal } = await this.#client.runs.read(id);
      for (const { kind, key } of journal) {
        if (kind === "step" || kind === "undo") this.#mark(id, `${kind} ${key}`);
        if (kind === "pivot") this.#confirmed.add(id);
      }
      if (endedAt !== null) this.#closed.add(id);
    }
  }

  /** How many runs had ended when they were read. */
  get ended(): number {
    return this.#closed.size;
  }

  knows(run: string, entry: string): boolean {
    return this.#marked.has(`${run} ${entry}`);
  }

  async runs(): Promise<RunSummary[]> {
    const all: RunSummary[] = [];
    let after: string | undefined;
    do {
      const page = await this.#client.runs.list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      all.push(...page.runs);
      after = page.next ?? undefined;
    } while (after !== undefined);
    return all;
  }

  /**
   * Orders, and the runs that their events started. An order whose run was canceled behind the point of no return stands: it counts as
   * completed, as its customer is told.
   */
  async runsByKind(): Promise<Pick<Evidence, "runs" | "postOrders">> {
    const all = await this.runs();
    const started = all.flatMap(({ event, status }) =>
      // Name and id of the event: it has the order's.
      event === null ? [] : [{ orderId: event.split("/")[1] ?? event, status }],
    );
    const orders = all.filter(({ workflow }) => workflow === "order");
    const stands = ({ id, status }: RunSummary): boolean => status === "canceled" && this.#confirmed.has(id);
    const runs = orders.map((run) => (stands(run) ? { ...run, status: "completed" as const } : run));
    return { runs, postOrders: started };
  }

  #mark(run: string, entry: string): void {
    if (this.knows(run, entry)) return;
    this.#marked.add(`${run} ${entry}`);
    this.#ledger.mark(run, entry);
  }
}
