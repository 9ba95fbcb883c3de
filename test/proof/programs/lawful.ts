/** What may be asked of everstep: await ctx and nothing else, a key where the order of asks may change, nothing that waits for ever. */
import {
  type Block,
  blocksOf,
  type EmitNode,
  type EventName,
  isChild,
  isParallel,
  isRepeat,
  type Node,
  type ParallelNode,
  type Program,
  type RepeatNode,
  type StepNode,
} from "./program.ts";

/** The nearest lawful program: leaves out or completes what would hang, or what needs keys and has none. */
export function lawful(program: Program): Program {
  return lawfulProgram(program, 0);
}

/** Runs that start runs that start runs: that many generations, and no more. */
const GENERATIONS_MAX = 3;

function lawfulProgram(program: Program, generation: number): Program {
  return withOwnEvents(lawfulBlock(program)).map((node) => withPrograms(node, generation));
}

/** Another run has names and events of its own. */
function withPrograms(node: Node, generation: number): Node {
  if (!isChild(node) && node.do !== "emit")
    return withBlocks(node, (block) => block.map((one) => withPrograms(one, generation)));
  return generation < GENERATIONS_MAX
    ? { ...node, program: lawfulProgram(node.program, generation + 1) }
    : OK;
}

function lawfulBlock(block: Block): Block {
  return block.map((node) => lawfulNode(node));
}

function lawfulNode(node: Node): Node {
  if (isParallel(node)) return { ...node, branches: lawfulBranches(node) };
  if (isRepeat(node)) return lawfulRepeat({ ...node, body: lawfulBlock(node.body) });
  // Only a race of ctx ends a step that goes on for ever.
  return node.do === "step" && node.does === "slow" ? { ...node, does: "ok" } : withBlocks(node, lawfulBlock);
}

/** The order in which branches go on side by side is that of the journal, and keys repeat: names that repeat around them need keys too. */
function lawfulRepeat(node: RepeatNode): RepeatNode {
  if (node.do === "each" || node.do === "map")
    return { ...node, body: waiting(withEmits(node.body, () => false)) };
  // Who lost in one round may emit in the next one.
  const lawful = { ...node, body: node.body.map(withoutEmitsBeside) };
  return lawful.do === "count" && needsKeys(lawful.body) ? { ...lawful, do: "keyed" } : lawful;
}

function withoutEmitsBeside(node: Node): Node {
  return withBlocks(node, (block) =>
    isParallel(node) ? withEmits(block, () => false) : block.map(withoutEmitsBeside),
  );
}

function needsKeys(block: Block): boolean {
  return block.some(
    (node) => isParallel(node) || (isRepeat(node) && node.do !== "count") || blocksOf(node).some(needsKeys),
  );
}

/** Each branch waits for something before it is over: who is first is then decided by the journal alone. */
function lawfulBranches({ do: how, branches }: ParallelNode): readonly Block[] {
  const given = branches.length === 0 ? [[]] : branches;
  const last = given.length - 1;
  return given.map((branch, index) => {
    const block =
      how === "contest" && index < last && endsSlow(branch) ? keepingSlow(branch) : lawfulBlock(branch);
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
  return [...lawfulBlock(block.slice(0, -1)), ...block.slice(-1)];
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

// -------------------------------------------------------------------------------------------- events

/**
 * The name of an event is all that tells one `emit` from another. So where others go on beside it, nobody knows beforehand which comes first,
 * and there is one place for that event only.
 */
function withOwnEvents(program: Program): Program {
  const beside = new Map<EventName, boolean>();
  look(program, false, beside);
  const kept = new Set<EventName>();
  return withEmits(program, ({ event }) => {
    const isKept = beside.get(event) !== true || !kept.has(event);
    kept.add(event);
    return isKept;
  });
}

/** True of an event that is emitted beside other things. */
function look(block: Block, isBeside: boolean, events: Map<EventName, boolean>): void {
  for (const node of block) {
    if (node.do === "emit") events.set(node.event, isBeside || events.get(node.event) === true);
    for (const inner of blocksOf(node)) look(inner, isBeside || isParallel(node), events);
  }
}

function withEmits(block: Block, keeps: (emit: EmitNode) => boolean): Block {
  return block.map((node) => {
    if (node.do === "emit") return keeps(node) ? node : OK;
    return withBlocks(node, (inner) => withEmits(inner, keeps));
  });
}

function withBlocks(node: Node, change: (block: Block) => Block): Node {
  if (isParallel(node)) return { ...node, branches: node.branches.map(change) };
  if (isRepeat(node)) return { ...node, body: change(node.body) };
  if (node.do === "if") return { ...node, odd: change(node.odd), even: change(node.even) };
  return node.do === "try" ? { ...node, body: change(node.body), caught: change(node.caught) } : node;
}
