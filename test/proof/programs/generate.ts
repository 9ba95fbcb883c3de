/** Programs by the thousand: drawn by fast-check, or all there are of a few statements. */
import * as fc from "fast-check";
import {
  type Block,
  DOES,
  lawful,
  type Node,
  PLAIN,
  type Program,
  SIDE_BY_SIDE,
  sizeOf,
  type StepNode,
} from "./program.ts";

export const NODES_MAX = 30;
const DEPTH_MAX = 5;

const undo = fc.constantFrom("own", "own", "bare", "own-flaky", "bare-flaky");

const step: fc.Arbitrary<StepNode> = fc
  .record({
    does: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("ok" as const, "ok" as const, "flaky" as const) },
      { weight: 3, arbitrary: fc.constantFrom("declined", "fatal", "exhausted", "timeout") },
    ),
    undo: fc.option(undo, { nil: undefined, freq: 2 }),
    looks: fc.nat(3).map((draw) => draw === 3),
  })
  .map(({ does, undo: undone, looks }) => ({
    do: "step",
    does,
    ...(undone === undefined ? {} : { undo: undone }),
    ...(looks && does === "ok" ? { looks: true } : {}),
  }));

const plain: fc.Arbitrary<Node> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("pivot", "patched", "tag", "draw").map((what): Node => ({ do: what })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("fail", "cancel", "await-cancel").map((what): Node => ({ do: what })),
  },
);

const wait: fc.Arbitrary<Node> = fc.oneof(
  fc.constantFrom(200, 3000, 90_000).map((ms): Node => ({ do: "sleep", ms })),
  fc.constant<Node>({ do: "sent" }),
  fc.constantFrom(200, 3000).map((ms): Node => ({ do: "unsent", ms })),
);

const leaf: fc.Arbitrary<Node> = fc.oneof(
  { weight: 6, arbitrary: step },
  { weight: 2, arbitrary: wait },
  { weight: 2, arbitrary: plain },
);

const statement = fc.letrec<{ node: Node; block: Block; slow: Block }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", maxDepth: DEPTH_MAX - 1, withCrossShrink: true },
    { weight: 8, arbitrary: leaf },
    { weight: 2, arbitrary: sideBySide(tie("block"), tie("slow")) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom("count", "keyed", "each"),
        times: fc.integer({ min: 1, max: 3 }),
        body: tie("block"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("if" as const), odd: tie("block"), even: tie("block") }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("try" as const), body: tie("block"), caught: tie("block") }),
    },
  ),
  block: fc.array(tie("node"), { minLength: 0, maxLength: 3, depthIdentifier: "blocks" }),
  slow: fc
    .tuple(tie("block"), undo)
    .map(([block, undone]): Block => [...block, { do: "step", does: "slow", undo: undone }]),
}));

function sideBySide(block: fc.Arbitrary<Block>, slow: fc.Arbitrary<Block>): fc.Arbitrary<Node> {
  const branches = (first: fc.Arbitrary<Block>): fc.Arbitrary<readonly Block[]> =>
    fc.tuple(first, block, fc.array(block, { maxLength: 1 })).map(([a, b, more]) => [a, b, ...more]);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom("all", "settled", "race", "any"),
        branches: branches(block),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("contest" as const),
        branches: branches(fc.oneof(block, slow)),
      }),
    },
  );
}

/** Lawful programs of at most `NODES_MAX` nodes; what they shrink to is lawful as well. */
export const programs: fc.Arbitrary<Program> = fc
  .array(statement.node, { minLength: 1, maxLength: 6, size: "max" })
  .map(lawful)
  .filter((program) => sizeOf(program) <= NODES_MAX);

/** The statements of the exhaustive mode. Nothing comes after one that fails the run: that would be a shorter program. */
export const ALPHABET: Readonly<Record<string, readonly Node[]>> = {
  ok: [{ do: "step", does: "ok" }],
  flaky: [{ do: "step", does: "flaky" }],
  undo: [{ do: "step", does: "ok", undo: "own" }],
  bare: [{ do: "step", does: "ok", undo: "bare" }],
  declined: [caught({ do: "step", does: "declined", undo: "own" })],
  pair: [
    {
      do: "all",
      branches: [[{ do: "step", does: "ok", undo: "own" }], [{ do: "step", does: "ok", undo: "own" }]],
    },
  ],
  sleep: [{ do: "sleep", ms: 3000 }],
  signal: [{ do: "sent" }],
  pivot: [{ do: "pivot" }],
  race: [{ do: "contest", branches: [[{ do: "step", does: "ok" }], [{ do: "sleep", ms: 3_600_000 }]] }],
  late: [
    { do: "contest", branches: [[{ do: "step", does: "slow", undo: "own" }], [{ do: "sleep", ms: 200 }]] },
  ],
  fatal: [{ do: "step", does: "fatal" }],
};

function caught(node: Node): Node {
  return { do: "try", body: [node], caught: [] };
}

/** All programs of at most so many statements, the shorter ones first. */
export function* programsUpTo(length: number): Generator<Program> {
  for (let exactly = 1; exactly <= length; exactly++) yield* programsOf(exactly);
}

function* programsOf(length: number): Generator<Program> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const [name, nodes] of Object.entries(ALPHABET)) {
    if (name === "fatal" && length > 1) continue;
    for (const rest of programsOf(length - 1)) yield [...nodes, ...rest];
  }
}

/** Each word that a program is made of, as its own line spells it: to count what was tried. */
export const WORDS: readonly string[] = [
  ...DOES,
  "looks",
  "own",
  "bare",
  "own-flaky",
  "bare-flaky",
  ...SIDE_BY_SIDE,
  "count",
  "keyed",
  "each",
  "if",
  "try",
  "sleep",
  "sent",
  "unsent",
  ...PLAIN,
];
