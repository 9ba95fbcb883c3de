/** Programs as one line each: what a failure prints, and what repeats it. */
import {
  type Block,
  blocksOf,
  DOES,
  type EventName,
  isChild,
  isParallel,
  isRepeat,
  LISTENERS,
  type Node,
  PLAIN,
  type Program,
  programsIn,
  REPEATS,
  SIDE_BY_SIDE,
  TOLD_MS,
} from "./program.ts";

/** `[ok+own (all [sleep:200] [fatal]) pivot]`: short, and parsed back by `parseProgram`. */
export function formatProgram(program: Program): string {
  return `[${program.map(formatNode).join(" ")}]`;
}

function formatNode(node: Node): string {
  const blocks = [...blocksOf(node), ...programsIn(node)].map(formatProgram).join(" ");
  if (isRepeat(node)) return `(${node.do}:${node.times} ${blocks})`;
  if (isParallel(node) || node.do === "if" || node.do === "try") return `(${node.do} ${blocks})`;
  if (isChild(node))
    return `(${[node.do, ...(node.undo ? [node.undo] : []), ...FLAGS.filter((flag) => node[flag])].join("+")} ${blocks})`;
  if (node.do === "emit") return `(emit:${node.event} ${blocks})`;
  if (node.do === "told") return `told:${node.signal}`;
  if (node.do === "step")
    return [node.does, ...(node.undo ? [node.undo] : []), ...STEP_FLAGS.filter((flag) => node[flag])].join(
      "+",
    );
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
  const repeat = REPEATS.find((name) => name === word);
  if (repeat !== undefined) return { do: repeat, times: Number(number), body: first };
  if (word === "if") return { do: "if", odd: first, even: second };
  if (word === "try") return { do: "try", body: first, caught: second };
  const event = EVENTS.find((name) => name === number);
  if (word === "emit" && event !== undefined) return { do: "emit", event, program: first };
  return childOf(head, first);
}

function childOf(head: string, program: Program): Node {
  const [word, ...options] = head.split("+");
  if (word !== "call" && word !== "start")
    throw new SyntaxError(`program: ${head} is no statement with blocks`);
  const undo = CALL_UNDOS.find((option) => options.includes(option));
  const flags = FLAGS.filter((flag) => options.includes(flag)).map((flag) => [flag, true]);
  return { do: word, program, ...(undo === undefined ? {} : { undo }), ...Object.fromEntries(flags) } as Node;
}

const EVENTS = Object.keys(LISTENERS) as EventName[];
const FLAGS = ["late", "told"] as const;
const STEP_FLAGS = ["looks", "tx", "sync"] as const;
const CALL_UNDOS = ["own", "own-flaky"] as const;
const UNDOS = ["own", "bare", "own-flaky", "bare-flaky"] as const;

function atomOf(word: string): Node {
  const [name = "", ms] = word.split(":");
  if (name === "sleep" || name === "unsent" || name === "maybe" || name === "offer")
    return { do: name, ms: Number(ms) };
  if (name === "sent") return { do: "sent" };
  if (name === "told") return { do: "told", signal: ms ?? "", ms: TOLD_MS };
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
    ...Object.fromEntries(STEP_FLAGS.filter((flag) => options.includes(flag)).map((flag) => [flag, true])),
  };
}
