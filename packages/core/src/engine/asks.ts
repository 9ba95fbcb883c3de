/**
 * The asks of one run: everything its code asks for that is journaled, and how each gets its key.
 *
 * Identity: an ask is (kind, key). Key = name, or `name#n` for the nth ask of that name, or `name[key]`. All kinds share one
 * name space. When a name is asked more than once and any of those asks comes outside a delivery turn, their order may be
 * another one on replay: then `key` is required.
 */
import type { RetryState, Send } from "../store.ts";
import type { Retry } from "./retry.ts";

type AskKind = "step" | "timer" | "signal" | "pivot" | "undo" | "child" | "start" | "emit" | "send";

/** What an ask sends out, and the value of its entry; made when it is due, for a replay needs none of it. Throws what the ask is to be rejected with. */
export type MakeSend = (ids: {
  readonly key: string;
  /** What ids are made of: the ask's identity, and what is added when a person has a known outcome done again. */
  readonly identity: string;
  readonly suffix: string;
  readonly seq: number;
}) => { readonly send: Send; readonly value: string };

/** What the engine needs to know of a step (or an undo) to run its body. */
export interface BodyPlan {
  readonly retry: Retry;
  /** The run is not to lose what may have happened: a `started` entry is durable before the body. */
  readonly recordStart: boolean;
  /** Ask before running again what may have happened. */
  readonly askInDoubt: boolean;
}

/** One ask. `handle` belongs to the runtime: promise and body. */
export interface Ask<H> {
  readonly kind: AskKind;
  readonly name: string;
  readonly index: number;
  /** The key under which it is journaled: that of an older name when the journal knows it by one. */
  readonly key: string;
  /** The key that its idempotency key is made of: that of its oldest name. */
  readonly identity: string;
  readonly handle: H;
  readonly plan: BodyPlan | undefined;
  state: "open" | "settled" | "withdrawn";
  /** Of asks that send something out. */
  readonly send: MakeSend | undefined;
  /** Timers and signals with a timeout. */
  dueAt: number | null;
  /** How often its known outcome was superseded by a person. */
  readonly generation: number;
  /** Undoes this step, or is the undo itself. */
  compensates: boolean;
  started: boolean;
  executing: boolean;
  /** Encoded result when it completed. */
  result: { readonly text: string | undefined } | undefined;
  /** Encoded error when it failed for good. */
  error: string | undefined;
  retry: RetryState | undefined;
}

export interface AskRequest<H> {
  readonly kind: AskKind;
  readonly name: string;
  readonly key?: string;
  readonly was?: readonly string[];
  readonly handle: H;
  readonly plan?: BodyPlan;
  readonly compensates?: boolean;
  readonly dueAt?: number | null;
  readonly send?: MakeSend;
}

/** A misuse of the context: the run becomes stuck with this text, before any effect. */
export interface Misuse {
  readonly misuse: string;
}

const WAITS: ReadonlySet<AskKind> = new Set(["timer", "signal", "pivot"]);

interface NameUse {
  readonly kind: AskKind;
  count: number;
  outOfTurn: boolean;
}

export class Asks<H> {
  readonly #byKey = new Map<string, Ask<H>>();
  readonly #names = new Map<string, NameUse>();
  readonly #open = new Set<Ask<H>>();
  readonly #waits = new Set<Ask<H>>();
  readonly #rows = new Set<string>();
  readonly #generations: ReadonlyMap<string, number>;

  constructor(generations: ReadonlyMap<string, number> = new Map()) {
    this.#generations = generations;
  }

  get open(): ReadonlySet<Ask<H>> {
    return this.#open;
  }

  /** Those of the open ones that time or a signal settles, or nothing but their turn. */
  get waits(): ReadonlySet<Ask<H>> {
    return this.#waits;
  }

  all(): Iterable<Ask<H>> {
    return this.#byKey.values();
  }

  find(key: string): Ask<H> | undefined {
    return this.#byKey.get(key);
  }

  /** Remembers that the store has (or will have) a retry row of this step. */
  touch(key: string): void {
    this.#rows.add(key);
  }

  touched(key: string): boolean {
    return this.#rows.has(key);
  }

  /** Adds an ask. `known` tells whether the journal has something under a key: that decides between a step's old and new name. */
  add(
    request: AskRequest<H>,
    inTurn: boolean,
    known: (key: string) => RetryState | boolean,
  ): Ask<H> | Misuse {
    const use = this.#use(request, inTurn);
    if ("misuse" in use) return use;
    const keyOf = (name: string): string =>
      request.key === undefined ? nth(name, use.count) : `${name}[${request.key}]`;
    const ownKey = keyOf(request.name);
    const olderKeys = (request.was ?? []).map(keyOf);
    const key =
      known(ownKey) === false ? (olderKeys.find((older) => known(older) !== false) ?? ownKey) : ownKey;
    if (this.#byKey.has(key)) {
      return {
        misuse: `${request.kind} ${key} was asked for twice: give each ask of one run its own \`key\``,
      };
    }
    const row = known(key);
    if (typeof row === "object") this.#rows.add(key);
    const ask: Ask<H> = {
      kind: request.kind,
      name: request.name,
      index: this.#byKey.size,
      key,
      identity: olderKeys[0] ?? ownKey,
      handle: request.handle,
      plan: request.plan,
      state: "open",
      send: request.send,
      dueAt: request.dueAt ?? null,
      generation: this.#generations.get(key) ?? 0,
      compensates: request.compensates ?? false,
      started: false,
      executing: false,
      result: undefined,
      error: undefined,
      retry: typeof row === "object" ? row : undefined,
    };
    this.#byKey.set(key, ask);
    // An undo is no wait: it is asked for in case of need.
    if (request.kind !== "undo") this.#open.add(ask);
    if (WAITS.has(request.kind)) this.#waits.add(ask);
    return ask;
  }

  close(ask: Ask<H>, state: "settled" | "withdrawn"): void {
    ask.state = state;
    this.#open.delete(ask);
    this.#waits.delete(ask);
  }

  #use(request: AskRequest<H>, inTurn: boolean): NameUse | Misuse {
    const use = this.#names.get(request.name);
    if (use === undefined) {
      const first: NameUse = { kind: request.kind, count: 1, outOfTurn: !inTurn };
      this.#names.set(request.name, first);
      return first;
    }
    if (use.kind !== request.kind) {
      return {
        misuse: `the name ${request.name} is used for a ${use.kind} and for a ${request.kind}: all kinds share one name space, choose another name for one of them`,
      };
    }
    if (request.key !== undefined) return use;
    use.count += 1;
    use.outOfTurn ||= !inTurn;
    if (use.outOfTurn) {
      return {
        misuse: `${request.kind} ${request.name} is asked for more than once, at least once after the code awaited something of its own: its order may change on replay, so give each a \`key\` (or a name) of its own`,
      };
    }
    return use;
  }
}

/** What is added to idempotency keys and ids, another one each time that a person has a known outcome done again. */
export function suffixOf({ generation }: Pick<Ask<unknown>, "generation">): string {
  return generation === 0 ? "" : `~${generation + 1}`;
}

function nth(name: string, count: number): string {
  return count === 1 ? name : `${name}#${count}`;
}
