/** Writes in short, and workers that a test moves by hand, over any store. */
import type {
  AdvanceWrite,
  Claim,
  ClaimResult,
  JoinRequest,
  Lease,
  NewEntry,
  Outcome,
  Renewal,
  Send,
  StartWrite,
  Store,
  Write,
} from "@everstep/core";

export const ORDER = { name: "order", version: "1", on: null, priority: 0, timeoutMs: null } as const;

/** Long enough for a slow machine; nothing waits so long unless it fails. */
const DEADLINE_MS = 90_000;

export function start(
  id: string,
  run: Partial<StartWrite["run"]> & { readonly claim?: boolean } = {},
): StartWrite {
  const { claim = false, ...given } = run;
  const plain = { workflow: "order", version: "1", input: "1", inputHash: "1", priority: 0, tags: {} };
  return { kind: "start", claim, run: { id, ...plain, timeoutMs: null, ...given } };
}

export function entry(seq: number, more: Partial<NewEntry> = {}): NewEntry {
  return { seq, kind: "step", key: `step-${seq}`, at: seq, value: '"done"', ...more };
}

export function advance(runId: string, more: Partial<AdvanceWrite> = {}): AdvanceWrite {
  return { kind: "advance", runId, attempt: 1, entries: [], ...more };
}

export function park(runId: string, inbox = 0): AdvanceWrite {
  return advance(runId, { entries: [entry(1)], then: { do: "park", dueAt: null, inbox, waits: [] } });
}

export function end(runId: string): AdvanceWrite {
  return advance(runId, { entries: [entry(1)], then: { do: "end", status: "completed" } });
}

export function signal(runId: string, id: string): Write {
  return { kind: "message", runId, message: { type: "signal", id, name: "go", payload: "1" } };
}

export function cancel(runId: string, id: string): Write {
  return { kind: "message", runId, message: { type: "cancel", id, name: "", payload: "1" } };
}

/** A child that its sender waits for. */
export function call(seq: number, id: string): Extract<Send, { kind: "start" }> {
  return { kind: "start", seq, run: start(id).run, key: `call-${seq}`, awaited: true };
}

/** The event `sent`. */
export function emit(seq: number, id: string, payload = "1"): Extract<Send, { kind: "emit" }> {
  const runPrefix = `sent/${id}/`;
  const event = { name: "sent", id, payload, codecId: runPrefix, payloadHash: payload, runPrefix };
  return { kind: "emit", seq, event };
}

/** A worker of a test: it numbers its batches. */
export class Hand<Tx = unknown> {
  readonly store: Store<Tx>;
  readonly lease: Lease;
  #batch = 0;

  private constructor(store: Store<Tx>, lease: Lease) {
    this.store = store;
    this.lease = lease;
  }

  static async join<Tx>(store: Store<Tx>, request: Partial<JoinRequest> = {}): Promise<Hand<Tx>> {
    const full = { workflows: [ORDER], leaseMs: 60_000, host: "test", pid: process.pid, ...request };
    return new Hand(store, await store.join(full));
  }

  get id(): number {
    return this.lease.worker;
  }

  /** The number of its last batch. */
  get batch(): number {
    return this.#batch;
  }

  commit(...writes: readonly Write[]): Promise<readonly Outcome[]> {
    this.#batch += 1;
    return this.send(this.#batch, writes);
  }

  /** A batch under this number, again or out of turn, perhaps over another store. */
  send(batch: number, writes: readonly Write[], store: Store = this.store): Promise<readonly Outcome[]> {
    return store.commit({ writes, lease: { worker: this.id, batch } });
  }

  ask(limit = 100): Promise<ClaimResult> {
    return this.store.claim({ worker: this.id, limit, workflows: [ORDER], except: [], inboxes: [] });
  }

  async claim(limit?: number): Promise<readonly Claim[]> {
    return (await this.ask(limit)).claims;
  }

  renew(): Promise<Renewal> {
    return this.store.renew(this.lease);
  }
}

/** How each write was answered, in a word. */
export function kinds(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.map(({ is }) => is);
}

/** Polls a condition. Says which one did not come true. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > until) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

/** What a promise was rejected with, and that it was. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was not rejected with an error");
}
