/**
 * Workflow programs as data: what a run gets as its input, and what the judge reads. Another run is a program of its own.
 *
 * A block is a list of statements; every part of a program that can hold several is a block.
 */

/**
 * `flaky` throws the first time · `fatal` a FatalError · `declined` the same with `happened: false` · `exhausted` throws twice and may
 * be tried twice · `timeout` outlasts its timeout, and may be tried once · `slow` goes on until it is aborted.
 */
export const DOES = ["ok", "flaky", "fatal", "declined", "exhausted", "timeout", "slow"] as const;
type Does = (typeof DOES)[number];

export interface StepNode {
  readonly do: "step";
  readonly does: Does;
  /** `own`: the option `compensate`; `bare`: a `ctx.compensate` before it. `flaky`: it throws the first time. */
  readonly undo?: "own" | "bare" | "own-flaky" | "bare-flaky";
  /** The option `inDoubt`: it looks whether the effect happened. */
  readonly looks?: true;
  /** It is a transaction on the store's own database; that takes neither `own` nor `looks`, and no timeout. */
  readonly tx?: true;
  /** Its body, and that of its undo, are over at once, without a promise. */
  readonly sync?: true;
}

/** Branches side by side: `all`, `settled`, `race`, `any` by JavaScript's own; `contest` by `ctx.race`. */
export const SIDE_BY_SIDE = ["all", "settled", "race", "any", "contest"] as const;

export interface ParallelNode {
  readonly do: (typeof SIDE_BY_SIDE)[number];
  readonly branches: readonly Block[];
}

export const REPEATS = ["count", "keyed", "each", "map"] as const;
export const LANES = 2;

export interface RepeatNode {
  /**
   * `count`: one after the other, the same names again; `keyed`: one after the other, with keys; `each`: all at once, with keys;
   * `map`: by `ctx.map`, `LANES` at once, with keys.
   */
  readonly do: (typeof REPEATS)[number];
  readonly times: number;
  readonly body: Block;
}

/** Which block is taken depends on the value of the step before it, in this block or those around it. */
interface ChoiceNode {
  readonly do: "if";
  readonly odd: Block;
  readonly even: Block;
}

export interface TryNode {
  readonly do: "try";
  readonly body: Block;
  readonly caught: Block;
}

interface SleepNode {
  readonly do: "sleep";
  readonly ms: number;
}

/**
 * `sent`: somebody sends it; `unsent`: nobody does, so it has a timeout; `maybe`: it has a timeout, and what comes first counts;
 * `offer`: a race gives it up after a while, then it is waited for again under the same name.
 */
type SignalNode =
  | { readonly do: "sent" }
  | { readonly do: "unsent" | "maybe" | "offer"; readonly ms: number };

/** A run of its own: `call` waits for it, `start` does not. */
export interface ChildNode {
  readonly do: "call" | "start";
  readonly program: Program;
  /** Of a call: the option `compensate`. `flaky`: it throws the first time. */
  readonly undo?: "own" | "own-flaky";
  /** Of a call: its child is sent a signal after its end, which is refused. */
  readonly late?: true;
  /** Of a start: the run waits for a signal first, which its parent sends it. */
  readonly told?: true;
}

/** How many workflows listen to each event; what they run is its payload. */
export const LISTENERS = { quiet: 0, heard: 1, echoed: 2 } as const;
export type EventName = keyof typeof LISTENERS;

export interface EmitNode {
  readonly do: "emit";
  readonly event: EventName;
  readonly program: Program;
}

/** The wait of a run for what its parent sends it; that may lose a race, or fail, before it does. */
interface ToldNode {
  readonly do: "told";
  readonly signal: string;
  readonly ms: number;
}

export const TOLD_MS = 1_800_000;

/**
 * `tell` a signal to the run itself, and the wait for it · `tell-nobody` a signal to a run that is not there · `cancel` a step that asks for the cancel of its run · `await-cancel` the same, then a wait for what never comes · `draw` time and
 * chance · `fail` the handler throws.
 */
export const PLAIN = [
  "pivot",
  "patched",
  "tag",
  "draw",
  "fail",
  "tell",
  "tell-nobody",
  "cancel",
  "await-cancel",
] as const;

export interface PlainNode {
  readonly do: (typeof PLAIN)[number];
}

export type Node =
  | StepNode
  | ParallelNode
  | RepeatNode
  | ChoiceNode
  | TryNode
  | SleepNode
  | SignalNode
  | ChildNode
  | EmitNode
  | ToldNode
  | PlainNode;
export type Block = readonly Node[];
export type Program = Block;

export function isParallel(node: Node): node is ParallelNode {
  return "branches" in node;
}

export function isRepeat(node: Node): node is RepeatNode {
  return "times" in node;
}

export function isChild(node: Node): node is ChildNode {
  return node.do === "call" || node.do === "start";
}

/** The blocks inside of a statement, in the order in which their places are counted. Programs of other runs are none of them. */
export function blocksOf(node: Node): readonly Block[] {
  if (isParallel(node)) return node.branches;
  if (isRepeat(node)) return [node.body];
  if (node.do === "if") return [node.odd, node.even];
  return node.do === "try" ? [node.body, node.caught] : [];
}

export function sizeOf(block: Block): number {
  return block.reduce(
    (sum, node) =>
      sum + 1 + [...blocksOf(node), ...programsIn(node)].reduce((own, inner) => own + sizeOf(inner), 0),
    0,
  );
}

/** What another run is given because of this statement. */
export function programsIn(node: Node): readonly Program[] {
  return "program" in node ? [node.program] : [];
}

/** What a run is given that its parent sends a signal. */
export function toldFirst(signal: string, program: Program): Program {
  return [{ do: "told", signal, ms: TOLD_MS }, ...program];
}

// -------------------------------------------------------------------------------------------- names

/** Where a statement stands, and in which round of the loops around it that have keys. */
export interface Place {
  readonly path: string;
  readonly round: string | undefined;
}

export const ROOT: Place = { path: "", round: undefined };

export function inside(place: Place, index: number): Place {
  return { path: place.path === "" ? String(index) : `${place.path}.${index}`, round: place.round };
}

/** Inside of a loop with keys, everything needs one: also what a plain loop in it repeats. */
export function inRound(place: Place, node: RepeatNode, round: number): Place {
  if (node.do === "count" && place.round === undefined) return place;
  return { path: place.path, round: place.round === undefined ? String(round) : `${place.round}.${round}` };
}

/** Of what takes no `key`: the round is part of the name. */
export function nameAt(place: Place, what: string): string {
  return place.round === undefined ? `${what}-${place.path}` : `${what}-${place.path}-${place.round}`;
}

/** Of a step: its name and, in a loop with keys, its key. */
export function stepAt(place: Place): { readonly name: string; readonly key: string | undefined } {
  return { name: `step-${place.path}`, key: place.round };
}

/** The keys of one pass of the code: the nth use of a name is `name#n`. */
export class Keys {
  readonly #uses = new Map<string, number>();

  next(name: string): string {
    const uses = (this.#uses.get(name) ?? 0) + 1;
    this.#uses.set(name, uses);
    return uses === 1 ? name : `${name}#${uses}`;
  }

  ofStep({ name, key }: ReturnType<typeof stepAt>): string {
    return key === undefined ? this.next(name) : `${name}[${key}]`;
  }
}

/** Signals of this name are sent by nobody. */
export function isUnsent(signal: string): boolean {
  return !/^(?:sent|maybe|offer)-/.test(signal);
}

/** What an `if` looks at: tokens of two executions differ, and so may their parity. */
export function isOdd(value: string): boolean {
  return value.charCodeAt(value.length - 1) % 2 === 1;
}
