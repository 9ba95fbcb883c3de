/**
 * What the code of a program must have done, given its journal: no engine, it schedules and decides nothing. Each statement is
 * over at the seq of the entry that ended it, so that who was first is a comparison of numbers.
 */
import type { Entry } from "@everstep/core";
import {
  type Block,
  type ChildNode,
  inRound,
  inside,
  isOdd,
  isParallel,
  isRepeat,
  Keys,
  LANES,
  nameAt,
  type Node,
  type ParallelNode,
  type Place,
  type PlainNode,
  type Program,
  type RepeatNode,
  ROOT,
  stepAt,
} from "./program.ts";

/** What the code gets something for. */
type Asked = "step" | "timer" | "signal" | "pivot" | "child" | "start" | "emit" | "send";

/** Something that the code did: an ask, or what it did at once. */
export interface Deed {
  readonly kind: Asked | "undo" | "patched" | "tagged" | "drew" | "won";
  readonly key: string;
  /** Seq of the entry that the code had got last. */
  readonly at: number;
  readonly node: Node;
  /** Seq of the entry that the code got for it; `Infinity`: none. */
  gotAt: number;
  /** Seq of the entry with which a race withdrew it; `Infinity`: none did. */
  lostAt: number;
}

/** Of a statement: since when it is over, and with what. An error is told by its text. */
interface Outcome {
  readonly at: number;
  readonly ok: boolean;
  readonly value: unknown;
}

export interface Reading {
  readonly outcome: Outcome;
  readonly deeds: readonly Deed[];
}

interface Here {
  readonly place: Place;
  readonly last: string;
}

const NEVER = Number.POSITIVE_INFINITY;
const PENDING: Outcome = { at: NEVER, ok: true, value: undefined };
const SETTLEMENTS: ReadonlySet<string> = new Set([
  "step",
  "timer",
  "signal",
  "pivot",
  "child",
  "start",
  "emit",
  "send",
  "patched",
]);

/** Reads a program along a journal. Nothing is got from a `cancel` on. */
export function read(program: Program, journal: readonly Entry[]): Reading {
  const reader = new Reader(journal);
  const outcome = reader.block(program, { place: ROOT, last: "" }, 0);
  // What the code would do after it threw, it never does: the run is closed.
  return { outcome, deeds: outcome.ok ? reader.deeds : until(outcome.at, reader.deeds) };
}

/** What was done up to that entry; what would have been got later was not. */
function until(at: number, deeds: readonly Deed[]): Deed[] {
  const done = deeds.filter((deed) => deed.at <= at);
  for (const deed of done) if (deed.gotAt > at) deed.gotAt = NEVER;
  return done;
}

class Reader {
  deeds: Deed[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new Keys();

  constructor(journal: readonly Entry[]) {
    for (const entry of journal) {
      if (entry.kind === "cancel") break;
      if (SETTLEMENTS.has(entry.kind)) this.#entries.set(`${entry.kind} ${entry.key}`, entry);
    }
  }

  block(block: Block, here: Here, at: number): Outcome {
    const values: unknown[] = [];
    let { last } = here;
    let now = at;
    for (const [index, node] of block.entries()) {
      const outcome = this.#node(node, { last, place: inside(here.place, index) }, now);
      if (!outcome.ok || outcome.at === NEVER) return outcome;
      if (node.do === "step") last = String(outcome.value);
      values.push(outcome.value);
      now = outcome.at;
    }
    return { at: now, ok: true, value: values };
  }

  #within(block: Block, { place, last }: Here, index: number, at: number): Outcome {
    return this.block(block, { place: inside(place, index), last }, at);
  }

  #node(node: Node, here: Here, at: number): Outcome {
    if (isParallel(node))
      return node.do === "contest" ? this.#contest(node, here, at) : this.#parallel(node, here, at);
    if (isRepeat(node)) return this.#repeat(node, here, at);
    const { place } = here;
    switch (node.do) {
      case "step":
        if (node.undo?.startsWith("bare") === true)
          this.#did("undo", this.#keys.next(nameAt(place, "undo")), node, at);
        return this.#ask("step", this.#keys.ofStep(stepAt(place)), node, at);
      case "if":
        return isOdd(here.last) ? this.#within(node.odd, here, 0, at) : this.#within(node.even, here, 1, at);
      case "try": {
        const tried = this.#within(node.body, here, 0, at);
        if (tried.ok) return tried;
        return map(this.#within(node.caught, here, 1, tried.at), (value) => ["caught", tried.value, value]);
      }
      case "sleep":
        return map(this.#named("timer", "sleep", node, place, at), () => "slept");
      case "sent":
      case "unsent":
        return this.#named("signal", node.do, node, place, at);
      case "maybe":
        return orLate(this.#named("signal", "maybe", node, place, at));
      case "offer":
        return this.#offer(node, place, at);
      case "call":
      case "start":
        return node.do === "call" ? this.#call(node, place, at) : this.#start(node, place, at);
      case "emit":
        return map(this.#ask("emit", this.#keys.next(`emit ${node.event}`), node, at), () => "emitted");
      case "told":
        return orLate(this.#ask("signal", this.#keys.next(node.signal), node, at));
      default:
        return this.#plain(node, place, at);
    }
  }

  #plain(node: PlainNode, place: Place, at: number): Outcome {
    const name = nameAt(place, node.do);
    switch (node.do) {
      case "pivot":
        return map(this.#named("pivot", "pivot", node, place, at), () => "passed");
      case "patched":
        this.#did("patched", this.#keys.next(name), node, at);
        return { at, ok: true, value: this.#entries.has(`patched ${name}`) };
      case "tag":
        this.#did("tagged", this.#keys.next(name), node, at);
        return { at, ok: true, value: "tagged" };
      case "draw":
        this.#did("drew", this.#keys.next(name), node, at);
        return { at, ok: true, value: "drawn" };
      case "fail":
        return { at, ok: false, value: `Error: fail ${place.path}` };
      case "tell-nobody":
        return this.#tell(nameAt(place, "nobody"), node, at);
      case "tell": {
        const sent = this.#tell(name, node, at);
        return sent.at === NEVER ? sent : this.#named("signal", "tell", node, place, sent.at);
      }
      default: {
        const asked = this.#ask("step", this.#keys.ofStep(stepAt(place)), node, at);
        if (node.do === "cancel" || asked.at === NEVER) return asked;
        return this.#named("signal", "never", node, place, asked.at);
      }
    }
  }

  // ------------------------------------------------------------------------------------------ other runs

  #call(node: ChildNode, place: Place, at: number): Outcome {
    const called = this.#named("child", "call", node, place, at);
    if (node.late !== true || !called.ok || called.at === NEVER) return called;
    const late = this.#tell(nameAt(place, "late"), node, called.at);
    return map(late, (value) => [called.value, value]);
  }

  #start(node: ChildNode, place: Place, at: number): Outcome {
    const started = this.#named("start", "start", node, place, at);
    const isOver = node.told !== true || started.at === NEVER;
    return map(isOver ? started : this.#tell(nameAt(place, "told"), node, started.at), () => "started");
  }

  /** That it is refused is not thrown. */
  #tell(signal: string, node: Node, at: number): Outcome {
    const sent = this.#ask("send", this.#keys.next(`signal ${signal}`), node, at);
    return sent.ok ? map(sent, () => "told") : { ...sent, ok: true };
  }

  // ------------------------------------------------------------------------------------------ side by side

  #parallel({ do: how, branches }: ParallelNode, here: Here, at: number): Outcome {
    const outcomes = branches.map((branch, index) => this.#within(branch, here, index, at));
    switch (how) {
      case "settled":
        return together(outcomes, ({ ok, value }) => (ok ? value : ["failed", value]));
      case "race":
        return first(outcomes);
      case "any": {
        const winner = first(outcomes.filter(({ ok }) => ok));
        if (winner.at < NEVER || outcomes.some(({ ok }) => ok)) return winner;
        return { ...together(outcomes, () => ""), ok: false, value: ALL_REJECTED };
      }
      default:
        return all(outcomes);
    }
  }

  /** Losers go no further than to the entry that made the winner, and get nothing after it. */
  #contest(node: ParallelNode, here: Here, at: number): Outcome {
    const before = this.deeds;
    const branches = node.branches.map((branch, index) => {
      this.deeds = [];
      const outcome = this.#within(branch, here, index, at);
      return { outcome, deeds: this.deeds };
    });
    const winner = first(branches.map(({ outcome }) => outcome));
    const index = branches.findIndex(({ outcome }) => outcome === winner);
    this.deeds = before;
    for (const [place, { deeds }] of branches.entries())
      this.deeds.push(...(place === index || winner.at === NEVER ? deeds : withdrawn(deeds, winner.at)));
    if (winner.at === NEVER || !winner.ok) return winner;
    this.#did("won", `${nameAt(here.place, "contest")} ${index}`, node, winner.at);
    return map(winner, (value) => [String(index), value]);
  }

  #repeat(node: RepeatNode, here: Here, at: number): Outcome {
    if (node.do === "map") return this.#map(node, here, at);
    const values: unknown[] = [];
    const outcomes: Outcome[] = [];
    let now = at;
    for (let round = 0; round < node.times; round++) {
      const place = inRound(inside(here.place, 0), node, round);
      const outcome = this.block(node.body, { ...here, place }, now);
      outcomes.push(outcome);
      if (node.do === "each") continue;
      if (!outcome.ok || outcome.at === NEVER) return outcome;
      values.push(outcome.value);
      now = outcome.at;
    }
    if (node.do !== "each") return { at: now, ok: true, value: values };
    return node.times === 0 ? { at, ok: true, value: [] } : all(outcomes);
  }

  /** The next round begins with the entry that ended another one, unless one has failed by then. */
  #map(node: RepeatNode, here: Here, at: number): Outcome {
    const outcomes: Outcome[] = [];
    const free = Array.from({ length: LANES }, () => at);
    for (let round = 0; round < node.times; round++) {
      const next = Math.min(...free);
      if (next === NEVER || outcomes.some((outcome) => !outcome.ok && outcome.at <= next)) break;
      const place = inRound(inside(here.place, 0), node, round);
      const outcome = this.block(node.body, { ...here, place }, next);
      outcomes.push(outcome);
      free[free.indexOf(next)] = outcome.at;
    }
    if (node.times === 0) return { at, ok: true, value: [] };
    return outcomes.length < node.times && outcomes.every(({ ok }) => ok) ? PENDING : all(outcomes);
  }

  #offer(node: Node, place: Place, at: number): Outcome {
    const taken = this.#named("signal", "offer", node, place, at);
    const late = this.#named("timer", "sleep", node, place, at);
    const [signal, timer] = this.deeds.slice(-2);
    const loser = taken.at < late.at ? timer : signal;
    const over = Math.min(taken.at, late.at);
    if (loser !== undefined && over < NEVER) Object.assign(loser, { gotAt: NEVER, lostAt: over });
    if (taken.at < late.at || over === NEVER) return first([taken, late]);
    return this.#named("signal", "offer", node, place, over);
  }

  // ------------------------------------------------------------------------------------------ deeds

  #named(kind: Asked, what: string, node: Node, place: Place, at: number): Outcome {
    return this.#ask(kind, this.#keys.next(nameAt(place, what)), node, at);
  }

  #ask(kind: Deed["kind"], key: string, node: Node, at: number): Outcome {
    const deed = this.#did(kind, key, node, at);
    const entry = this.#entries.get(`${kind} ${key}`);
    if (entry === undefined || entry.seq <= at) return PENDING;
    deed.gotAt = entry.seq;
    const error = errorIn(entry);
    return error === undefined
      ? { at: entry.seq, ok: true, value: valueOf(entry) }
      : { at: entry.seq, ok: false, value: error };
  }

  #did(kind: Deed["kind"], key: string, node: Node, at: number): Deed {
    const deed = { kind, key, node, at, gotAt: NEVER, lostAt: NEVER };
    this.deeds.push(deed);
    return deed;
  }
}

const ALL_REJECTED = "AggregateError: All promises were rejected";

function withdrawn(deeds: readonly Deed[], at: number): Deed[] {
  const done = deeds.filter((deed) => deed.at < at);
  for (const deed of done) {
    if (deed.gotAt < at) continue;
    deed.gotAt = NEVER;
    deed.lostAt = Math.min(deed.lostAt, at);
  }
  return done;
}

function first(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce((best, outcome) => (outcome.at < best.at ? outcome : best), PENDING);
}

function all(outcomes: readonly Outcome[]): Outcome {
  const failed = first(outcomes.filter(({ ok }) => !ok));
  return failed.at < NEVER ? failed : together(outcomes, ({ value }) => value);
}

function together(outcomes: readonly Outcome[], tell: (outcome: Outcome) => unknown): Outcome {
  return { at: Math.max(...outcomes.map(({ at }) => at)), ok: true, value: outcomes.map(tell) };
}

function orLate(asked: Outcome): Outcome {
  return asked.ok ? asked : { at: asked.at, ok: true, value: "late" };
}

function map(outcome: Outcome, change: (value: unknown) => unknown): Outcome {
  return outcome.ok && outcome.at < NEVER ? { ...outcome, value: change(outcome.value) } : outcome;
}

// -------------------------------------------------------------------------------------------- what is stored

export function valueOf({ value }: Pick<Entry, "value">): unknown {
  return value === undefined || value === null ? undefined : (JSON.parse(value) as unknown);
}

interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly props?: Readonly<Record<string, unknown>>;
  readonly cause?: StoredError;
}

export function errorOf(text: string): StoredError {
  return JSON.parse(text) as StoredError;
}

/** As `describeError` tells it in the code; undefined when it is none. */
export function errorIn({ error, value }: Entry): string | undefined {
  if (error === undefined) return undefined;
  // The store refused to send it: in plain text beside its id.
  return value === undefined ? errorText(error) : REFUSALS[error.split(" ")[0] ?? ""];
}

const REFUSALS: Readonly<Record<string, string>> = {
  "not-found": "RunNotFoundError",
  ended: "RunEndedError",
};

export function errorText(text: string): string {
  const { name, message, cause } = errorOf(text);
  return cause === undefined ? `${name}: ${message}` : `${name}: ${cause.name}: ${cause.message}`;
}
