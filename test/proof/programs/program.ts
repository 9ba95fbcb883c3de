/**
 * Workflow programs as data: what a run gets as its input, what a failure prints as one line, and what the judge reads.
 *
 * A block is a list of statements; every part of a program that can hold several is a block. `lawful` says what may be asked
 * of everstep: await ctx and nothing else, a key where the order of asks may change, nothing that waits for ever.
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
}

/** Branches side by side: `all`, `settled`, `race`, `any` by JavaScript's own; `contest` by `ctx.race`. */
export const SIDE_BY_SIDE = ["all", "settled", "race", "any", "contest"] as const;

export interface ParallelNode {
  readonly do: (typeof SIDE_BY_SIDE)[number];
  readonly branches: readonly Block[];
}

export interface RepeatNode {
  /** `count`: one after the other, the same names again; `keyed`: one after the other, with keys; `each`: all at once, with keys. */
  readonly do: "count" | "keyed" | "each";
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

/**
 * `cancel` a step that asks for the cancel of its run · `await-cancel` the same, then a wait for what never comes · `draw` time and
 * chance · `fail` the handler throws.
 */
export const PLAIN = ["pivot", "patched", "tag", "draw", "fail", "cancel", "await-cancel"] as const;

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
  | PlainNode;
export type Block = readonly Node[];
export type Program = Block;

export function isParallel(node: Node): node is ParallelNode {
  return "branches" in node;
}

export function isRepeat(node: Node): node is RepeatNode {
  return "times" in node;
}

/** The blocks inside of a statement, in the order in which their places are counted. */
function blocksOf(node: Node): readonly Block[] {
  if (isParallel(node)) return node.branches;
  if (isRepeat(node)) return [node.body];
  if (node.do === "if") return [node.odd, node.even];
  return node.do === "try" ? [node.body, node.caught] : [];
}

export function sizeOf(block: Block): number {
  return block.reduce(
    (sum, node) => sum + 1 + blocksOf(node).reduce((own, inner) => own + sizeOf(inner), 0),
    0,
  );
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

// -------------------------------------------------------------------------------------------- what is lawful

/** The nearest lawful program: leaves out or completes what would hang, or what needs keys and has none. */
export function lawful(program: Program): Program {
  return program.map((node) => lawfulNode(node));
}

function lawfulNode(node: Node): Node {
  if (isParallel(node)) return { ...node, branches: lawfulBranches(node) };
  if (isRepeat(node)) return lawfulRepeat({ ...node, body: lawful(node.body) });
  if (node.do === "if") return { ...node, odd: lawful(node.odd), even: lawful(node.even) };
  if (node.do === "try") return { ...node, body: lawful(node.body), caught: lawful(node.caught) };
  // Only a race of ctx ends a step that goes on for ever.
  return node.do === "step" && node.does === "slow" ? { ...node, does: "ok" } : node;
}

/** The order in which branches go on side by side is that of the journal, and keys repeat: names that repeat around them need keys too. */
function lawfulRepeat(node: RepeatNode): RepeatNode {
  if (node.do === "each") return { ...node, body: waiting(node.body) };
  return node.do === "count" && needsKeys(node.body) ? { ...node, do: "keyed" } : node;
}

function needsKeys(block: Block): boolean {
  return block.some(
    (node) => isParallel(node) || node.do === "each" || node.do === "keyed" || blocksOf(node).some(needsKeys),
  );
}

/** Each branch waits for something before it is over: who is first is then decided by the journal alone. */
function lawfulBranches({ do: how, branches }: ParallelNode): readonly Block[] {
  const given = branches.length === 0 ? [[]] : branches;
  const last = given.length - 1;
  return given.map((branch, index) => {
    const block =
      how === "contest" && index < last && endsSlow(branch) ? keepingSlow(branch) : lawful(branch);
    return waiting(block);
  });
}

function waiting(block: Block): Block {
  return mayEndAtOnce(block) ? [OK, ...block] : block;
}

const OK: StepNode = { do: "step", does: "ok" };

function isSlow(node: Node | undefined): node is StepNode {
  return node?.do === "step" && node.does === "slow";
}

function endsSlow(block: Block): boolean {
  return isSlow(block.at(-1));
}

function keepingSlow(block: Block): Block {
  return [...lawful(block.slice(0, -1)), ...block.slice(-1)];
}

/** True when it may be over, or throw, before it has waited for anything. */
function mayEndAtOnce(block: Block): boolean {
  return mayThrowAtOnce(block) || block.every(isAtOnce);
}

function mayThrowAtOnce(block: Block): boolean {
  for (const node of block) {
    if (node.do === "fail") return true;
    if (!isParallel(node) && blocksOf(node).some(mayThrowAtOnce)) return true;
    if (!isAtOnce(node)) return false;
  }
  return false;
}

function isAtOnce(node: Node): boolean {
  if (isParallel(node)) return false;
  if (isRepeat(node)) return node.times === 0 || mayEndAtOnce(node.body);
  if (node.do === "if" || node.do === "try") return blocksOf(node).some(mayEndAtOnce);
  return node.do === "patched" || node.do === "tag" || node.do === "draw" || node.do === "fail";
}

// -------------------------------------------------------------------------------------------- one line

/** `[ok+own (all [sleep:200] [fatal]) pivot]`: short, and parsed back by `parseProgram`. */
export function formatProgram(program: Program): string {
  return `[${program.map(formatNode).join(" ")}]`;
}

function formatNode(node: Node): string {
  const blocks = blocksOf(node).map(formatProgram).join(" ");
  if (isRepeat(node)) return `(${node.do}:${node.times} ${blocks})`;
  if (isParallel(node) || node.do === "if" || node.do === "try") return `(${node.do} ${blocks})`;
  if (node.do === "step")
    return [node.does, ...(node.undo ? [node.undo] : []), ...(node.looks ? ["looks"] : [])].join("+");
  return "ms" in node ? `${node.do}:${node.ms}` : node.do;
}

/** Throws a `SyntaxError` that names the word it can't read. */
export function parseProgram(line: string): Program {
  const words = line.match(/[[\]()]|[^\s[\]()]+/g) ?? [];
  const reader = new Reader(words);
  const program = reader.block();
  reader.expect(undefined);
  return program;
}

class Reader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  expect(word: string | undefined): void {
    const found = this.#words[this.#at++];
    if (found !== word)
      throw new SyntaxError(`program: ${word ?? "the end"} expected, not ${found ?? "the end"}`);
  }

  block(): Block {
    this.expect("[");
    const nodes: Node[] = [];
    while (this.#peek() !== "]" && this.#peek() !== undefined) nodes.push(this.#node());
    this.expect("]");
    return nodes;
  }

  #peek(): string | undefined {
    return this.#words[this.#at];
  }

  #node(): Node {
    if (this.#peek() !== "(") return atomOf(this.#words[this.#at++] ?? "");
    this.expect("(");
    const head = this.#words[this.#at++] ?? "";
    const blocks: Block[] = [];
    while (this.#peek() === "[") blocks.push(this.block());
    this.expect(")");
    return compoundOf(head, blocks);
  }
}

function compoundOf(head: string, blocks: readonly Block[]): Node {
  const [word = "", number] = head.split(":");
  const [first = [], second = []] = blocks;
  const parallel = SIDE_BY_SIDE.find((name) => name === word);
  if (parallel !== undefined) return { do: parallel, branches: blocks };
  if (word === "count" || word === "keyed" || word === "each")
    return { do: word, times: Number(number), body: first };
  if (word === "if") return { do: "if", odd: first, even: second };
  if (word === "try") return { do: "try", body: first, caught: second };
  throw new SyntaxError(`program: ${head} is no statement with blocks`);
}

const UNDOS = ["own", "bare", "own-flaky", "bare-flaky"] as const;

function atomOf(word: string): Node {
  const [name = "", ms] = word.split(":");
  if (name === "sleep" || name === "unsent" || name === "maybe" || name === "offer")
    return { do: name, ms: Number(ms) };
  if (name === "sent") return { do: "sent" };
  const plain = PLAIN.find((known) => known === name);
  if (plain !== undefined) return { do: plain };
  const [does, ...options] = word.split("+");
  const known = DOES.find((other) => other === does);
  if (known === undefined) throw new SyntaxError(`program: ${word} is no statement`);
  const undo = UNDOS.find((option) => options.includes(option));
  return {
    do: "step",
    does: known,
    ...(undo === undefined ? {} : { undo }),
    ...(options.includes("looks") ? { looks: true } : {}),
  };
}
