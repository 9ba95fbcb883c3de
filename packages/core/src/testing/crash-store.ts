/**
 * A process that dies between itself and its database, at a chosen call: what crash tests and simulations are made of.
 * The store inside lives on, as a database does; what dies is everybody who calls it through this door.
 */
import { StoreUnavailableError } from "../errors.ts";
import type {
  AdvanceWrite,
  Batch,
  ClaimRequest,
  ClaimResult,
  EventRecord,
  Figures,
  FiguresSpan,
  Finding,
  Hint,
  Interest,
  JoinRequest,
  Lease,
  Outcome,
  OutboxRow,
  Page,
  PageRequest,
  Renewal,
  RunDetails,
  RunFilter,
  Send,
  Store,
  TransactRequest,
  WorkerLoad,
  WorkflowRecord,
  Write,
} from "../store.ts";

/** What befalls one call. */
export type Blow =
  | {
      /** `before`: the call never reaches the store. `after`: it does all it does, but its answer never arrives. */
      readonly when: "before" | "after";
    }
  | {
      /** The process lives, but this one answer is lost: the call rejects with `StoreUnavailableError`. */
      readonly when: "instead";
      /** Whether the store did what it was asked. Where it did not, the body of a `transact` has run all the same. */
      readonly applied: boolean;
    };

export type CrashPlan = {
  /** Which of the counted calls: 1 is the first. `commit`, `transact`, `claim`, `join`, `renew` and `takeOutbox` count. */
  readonly at: number;
  /** Called at the moment of death: end the rest of the process here, e.g. `processClock().kill`. */
  readonly onCrash?: () => void;
} & Blow;

export interface CrashStore<Tx> extends Store<Tx> {
  /** The counted calls so far, e.g. `commit(start order-1, advance order-2 [step, end] then end)`. */
  readonly calls: readonly string[];
  readonly dead: boolean;
  /** Dies now. */
  kill(): void;
}

/** Dies as planned. From then on no call of it ever settles, and it gives no more hints. */
export function crashStore<Tx>(store: Store<Tx>, plan: CrashPlan): CrashStore<Tx> {
  return mortalStore(store, {
    befalls: (no) => (no === plan.at ? plan : undefined),
    ...(plan.onCrash === undefined ? {} : { onCrash: plan.onCrash }),
  });
}

/** Only counts, and dies when it is killed: a first pass without faults, to know where the next ones can crash. */
export function recordCalls<Tx>(store: Store<Tx>): CrashStore<Tx> {
  return mortalStore(store, {});
}

export interface Fate {
  /** Asked at each counted call, of which the first is number 1, what befalls it. */
  readonly befalls?: (no: number, call: string) => Blow | undefined;
  readonly onCrash?: () => void;
}

/** Dies whenever its fate says so. */
export function mortalStore<Tx>(store: Store<Tx>, fate: Fate): CrashStore<Tx> {
  return new Crashing(store, fate);
}

/** Ends the body of a transaction whose process died: its database rolls back. Nobody gets to see it. */
class Death extends Error {}

/** What gets lost of a call that reaches the store. */
interface Losses {
  readonly answer: boolean;
  readonly commit: boolean;
}

const NOTHING: Losses = { answer: false, commit: false };

const never = <T>(): Promise<T> => new Promise(() => {});

class Crashing<Tx> implements CrashStore<Tx> {
  readonly calls: string[] = [];
  readonly #store: Store<Tx>;
  readonly #fate: Fate;
  readonly #atDeath: Promise<never>;
  #die: (death: Death) => void = () => {};
  #dead = false;

  constructor(store: Store<Tx>, fate: Fate) {
    this.#store = store;
    this.#fate = fate;
    this.#atDeath = new Promise((_, reject) => {
      this.#die = reject;
    });
    this.#atDeath.catch(() => {});
  }

  get dead(): boolean {
    return this.#dead;
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#die(new Death());
    this.#fate.onCrash?.();
  }

  commit(batch: Batch<Tx>): Promise<readonly Outcome[]> {
    const what = `commit(${batch.writes.map(describe).join(", ")})`;
    return this.#counted(what, (losses) => this.#store.commit(this.#unheard(batch, losses)));
  }

  transact<T>(request: TransactRequest<Tx, T>): Promise<{ readonly is: "done" } | { readonly is: "fenced" }> {
    return this.#counted(`transact(${request.runId})`, (losses) =>
      this.#store.transact(this.#mortal(request, losses)),
    );
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#counted(`claim(${request.limit})`, () => this.#store.claim(request));
  }

  join(request: JoinRequest): Promise<Lease> {
    return this.#counted("join()", () => this.#store.join(request));
  }

  renew(lease: Lease): Promise<Renewal> {
    return this.#counted(`renew(${lease.worker})`, () => this.#store.renew(lease));
  }

  read(runId: string): Promise<RunDetails | undefined> {
    return this.#answer(() => this.#store.read(runId));
  }

  list(filter: RunFilter, page: PageRequest): Promise<Page> {
    return this.#answer(() => this.#store.list(filter, page));
  }

  count(filter: RunFilter): Promise<number> {
    return this.#answer(() => this.#store.count(filter));
  }

  workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#answer(() => this.#store.workflows());
  }

  workers(): Promise<readonly WorkerLoad[]> {
    return this.#answer(() => this.#store.workers());
  }

  figures(span: FiguresSpan): Promise<Figures> {
    return this.#answer(() => this.#store.figures(span));
  }

  examine(): Promise<readonly Finding[]> {
    return this.#answer(() => this.#store.examine());
  }

  events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]> {
    return this.#answer(() => this.#store.events(filter));
  }

  takeOutbox(request: { readonly limit: number; readonly forMs: number }): Promise<readonly OutboxRow[]> {
    return this.#counted(`takeOutbox(${request.limit})`, () => this.#store.takeOutbox(request));
  }

  watch(listener: (hint: Hint) => void, interest?: Interest): () => void {
    return this.#store.watch((hint) => {
      if (!this.#dead) listener(hint);
    }, interest);
  }

  close(): Promise<void> {
    return this.#answer(() => this.#store.close());
  }

  #counted<T>(what: string, call: (losses: Losses) => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    const no = this.calls.push(what);
    const blow = this.#fate.befalls?.(no, what);
    if (blow === undefined) return this.#answer(() => call(NOTHING));
    if (blow.when === "instead") return this.#loseAnswer(call, blow.applied, what);
    const die = (): void => this.kill();
    if (blow.when === "before") die();
    else call({ answer: true, commit: false }).then(die, die);
    return never();
  }

  /** What the store answers, unless the process is dead by then. */
  async #answer<T>(call: () => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    try {
      const value = await call();
      return this.#dead ? await never() : value;
    } catch (error) {
      if (this.#dead) return await never();
      throw error;
    }
  }

  #loseAnswer<T>(call: (losses: Losses) => Promise<T>, applied: boolean, what: string): Promise<T> {
    const isReached = applied || what.startsWith("transact");
    return this.#answer(async () => {
      if (isReached) await call({ answer: true, commit: !applied }).catch(() => {});
      throw new StoreUnavailableError(`crash store: the answer to ${what} is lost`);
    });
  }

  /** Outcomes are an answer as well: they don't arrive when it doesn't. */
  #unheard({ onOutcomes, ...batch }: Batch<Tx>, { answer }: Losses): Batch<Tx> {
    if (onOutcomes === undefined || answer) return batch;
    return { ...batch, onOutcomes: (outcomes) => this.#dead || onOutcomes(outcomes) };
  }

  /** The body belongs to the process: when that dies, or when the commit is to be lost, its transaction is undone. */
  #mortal<T>({ body, settle, ...rest }: TransactRequest<Tx, T>, { commit }: Losses): TransactRequest<Tx, T> {
    return {
      ...rest,
      body: (tx) => {
        const value = body(tx);
        return value instanceof Promise ? Promise.race([value, this.#atDeath]) : value;
      },
      settle: (value) => {
        const settlement = settle(value);
        if (commit || this.#dead) throw new Death();
        return settlement;
      },
    };
  }
}

function describe(write: Write): string {
  switch (write.kind) {
    case "advance":
      return describeAdvance(write);
    case "message":
      return `${write.message.type} ${write.runId}`;
    case "operate":
      return `${write.operation} ${write.runId}`;
    case "start":
    case "import":
      return `${write.kind} ${write.run.id}`;
    case "emit":
      return `emit ${write.event.name}`;
    case "pause-workflow":
      return `${write.note === null ? "resume" : "pause"} workflow ${write.workflow}`;
    case "mend":
    case "purge":
      return `${write.kind} ${write.runId}`;
    case "shipped":
    case "leave":
      return write.kind;
  }
}

function describeAdvance({ runId, entries, sends, then }: AdvanceWrite): string {
  const kinds = entries.map(({ kind }) => kind).join(", ");
  const sent = sends === undefined ? "" : ` with ${sends.map(describeSend).join(" and ")}`;
  return `advance ${runId} [${kinds}]${sent}${then === undefined ? "" : ` then ${then.do}`}`;
}

function describeSend(send: Send): string {
  switch (send.kind) {
    case "start":
      return `start ${send.run.id}`;
    case "message":
      return `${send.message.type} ${send.runId}`;
    case "emit":
      return `emit ${send.event.name}`;
  }
}
