/** Programs by the thousand: drawn by fast-check, or all there are of a few statements. */
import * as fc from "fast-check";
import { lawful } from "./lawful.ts";
import {
  type Block,
  DOES,
  type EventName,
  LISTENERS,
  type Node,
  PLAIN,
  type PlainNode,
  type Program,
  REPEATS,
  SIDE_BY_SIDE,
  sizeOf,
  type StepNode,
} from "./program.ts";

export const NODES_MAX = 30;
const DEPTH_MAX = 5;
const EVENTS = Object.keys(LISTENERS) as EventName[];

const undo = fc.constantFrom("own", "own", "bare", "own-flaky", "bare-flaky");

function steps(...does: readonly StepNode["does"][]): fc.Arbitrary<Node> {
  return fc
    .record({
      does: fc.constantFrom(...does),
      undo: fc.option(undo, { nil: undefined, freq: 2 }),
      looks: fc.nat(3).map((draw) => draw === 3),
      sync: fc.nat(2).map((draw) => draw === 2),
    })
    .map(
      ({ does: what, undo: undone, looks, sync }): Node => ({
        do: "step",
        does: what,
        ...(undone === undefined ? {} : { undo: undone }),
        ...(looks && what === "ok" ? { looks: true } : {}),
        ...(sync && what !== "timeout" ? { sync: true } : {}),
      }),
    );
}

function transactions(...does: readonly StepNode["does"][]): fc.Arbitrary<Node> {
  return fc
    .record({
      does: fc.constantFrom(...does),
      undo: fc.constantFrom(undefined, undefined, "bare" as const, "bare-flaky" as const),
      sync: fc.boolean(),
    })
    .map(
      ({ does: what, undo: undone, sync }): Node => ({
        do: "step",
        does: what,
        ...(undone === undefined ? {} : { undo: undone }),
        tx: true,
        ...(sync ? { sync } : {}),
      }),
    );
}

const plain = (...all: readonly PlainNode["do"][]): fc.Arbitrary<Node> =>
  fc.constantFrom(...all).map((what) => ({ do: what }));

const waits = (what: "sleep" | "unsent" | "maybe" | "offer", ...all: readonly number[]): fc.Arbitrary<Node> =>
  fc.constantFrom(...all).map((ms) => ({ do: what, ms }));

/** What fails. Most of it stands in a `try`: a run that fails early shows little. */
const risky: fc.Arbitrary<Node> = fc.oneof(
  { weight: 4, arbitrary: steps("declined", "fatal", "exhausted", "timeout") },
  { weight: 2, arbitrary: transactions("declined", "fatal", "exhausted") },
  { weight: 2, arbitrary: waits("unsent", 200, 3000) },
  { weight: 1, arbitrary: plain("fail") },
);

const leaf: fc.Arbitrary<Node> = fc.oneof(
  { weight: 12, arbitrary: steps("ok", "ok", "flaky") },
  { weight: 5, arbitrary: transactions("ok", "ok", "flaky") },
  { weight: 2, arbitrary: waits("sleep", 200, 3000, 90_000) },
  { weight: 2, arbitrary: fc.constant<Node>({ do: "sent" }) },
  { weight: 1, arbitrary: waits("maybe", 1, 200, 3000) },
  { weight: 1, arbitrary: waits("offer", 1, 200, 3000) },
  { weight: 4, arbitrary: plain("pivot", "patched", "tag", "draw") },
  { weight: 2, arbitrary: plain("tell", "tell", "tell-nobody") },
  { weight: 2, arbitrary: risky },
  { weight: 1, arbitrary: plain("cancel", "await-cancel") },
);

const statement = fc.letrec<{ node: Node; block: Block; slow: Block }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", maxDepth: DEPTH_MAX - 1, withCrossShrink: true },
    { weight: 8, arbitrary: leaf },
    { weight: 2, arbitrary: sideBySide(tie("block"), tie("slow")) },
    { weight: 2, arbitrary: otherRuns(tie("block")) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom(...REPEATS, "map"),
        times: fc.integer({ min: 1, max: 3 }),
        body: tie("block"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("if" as const), odd: tie("block"), even: tie("block") }),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ calm: tie("block"), end: fc.option(risky, { freq: 3 }), caught: tie("block") })
        .map(
          ({ calm, end, caught }): Node => ({
            do: "try",
            body: end === null ? calm : [...calm, end],
            caught,
          }),
        ),
    },
  ),
  block: fc.array(tie("node"), { minLength: 0, maxLength: 3, depthIdentifier: "blocks" }),
  slow: fc
    .tuple(tie("block"), undo)
    .map(([block, undone]): Block => [...block, { do: "step", does: "slow", undo: undone }]),
}));

/** Some children fail; most such calls stand in a `try`. */
function otherRuns(block: fc.Arbitrary<Block>): fc.Arbitrary<Node> {
  const call = (program: fc.Arbitrary<Program>): fc.Arbitrary<Node> =>
    fc
      .record({
        program,
        undo: fc.constantFrom(undefined, "own" as const, "own-flaky" as const),
        late: fc.nat(3).map((draw) => draw === 3),
      })
      .map(({ program: given, undo: undone, late }) => ({
        do: "call",
        program: given,
        ...(undone === undefined ? {} : { undo: undone }),
        ...(late ? { late } : {}),
      }));
  const failing = fc.tuple(block, risky).map(([calm, end]): Block => [...calm, end]);
  return fc.oneof(
    { weight: 4, arbitrary: call(block) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(call(failing), block)
        .map(([node, after]): Node => ({ do: "try", body: [node], caught: after })),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ program: block, told: fc.boolean() })
        .map(({ program, told }): Node => ({ do: "start", program, ...(told ? { told } : {}) })),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("emit" as const),
        event: fc.constantFrom(...EVENTS),
        program: block,
      }),
    },
  );
}

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
  .array(statement.node, { minLength: 1, maxLength: 8, size: "max" })
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
  tx: [{ do: "step", does: "flaky", tx: true }],
  beside: [
    {
      do: "all",
      branches: [
        [{ do: "step", does: "ok", sync: true }],
        [{ do: "step", does: "ok", tx: true, sync: true }],
        [{ do: "step", does: "ok", tx: true, sync: true }],
      ],
    },
  ],
  sleep: [{ do: "sleep", ms: 3000 }],
  signal: [{ do: "sent" }],
  pivot: [{ do: "pivot" }],
  race: [{ do: "contest", branches: [[{ do: "step", does: "ok" }], [{ do: "sleep", ms: 3_600_000 }]] }],
  late: [
    { do: "contest", branches: [[{ do: "step", does: "slow", undo: "own" }], [{ do: "sleep", ms: 200 }]] },
  ],
  call: [{ do: "call", program: [{ do: "step", does: "ok" }], undo: "own" }],
  broken: [
    caught({
      do: "call",
      program: [
        { do: "step", does: "ok", undo: "own" },
        { do: "step", does: "declined" },
      ],
    }),
  ],
  lost: [
    {
      do: "contest",
      branches: [
        [
          {
            do: "call",
            program: [
              { do: "step", does: "ok", undo: "own" },
              { do: "sleep", ms: 3_600_000 },
            ],
            undo: "own",
          },
        ],
        [{ do: "sleep", ms: 200 }],
      ],
    },
  ],
  beaten: [
    {
      do: "contest",
      branches: [
        [{ do: "call", program: [{ do: "sleep", ms: 3_600_000 }] }],
        [{ do: "start", program: [{ do: "step", does: "ok" }] }],
      ],
    },
  ],
  start: [{ do: "start", program: [{ do: "step", does: "ok" }], told: true }],
  emit: [{ do: "emit", event: "echoed", program: [{ do: "step", does: "ok" }] }],
  tell: [{ do: "tell" }],
  fatal: [{ do: "step", does: "fatal" }],
  leaving: [
    {
      do: "all",
      branches: [
        [
          {
            do: "call",
            program: [
              { do: "step", does: "ok", undo: "own" },
              { do: "sleep", ms: 3_600_000 },
            ],
            undo: "own",
          },
        ],
        [
          { do: "sleep", ms: 200 },
          { do: "step", does: "fatal" },
        ],
      ],
    },
  ],
};

const LAST: ReadonlySet<string> = new Set(["fatal", "leaving"]);

/** Of these statements, those that are one step. */
export const STEPS: readonly string[] = ["ok", "flaky", "undo", "bare", "declined", "tx", "fatal"];

function caught(node: Node): Node {
  return { do: "try", body: [node], caught: [] };
}

/** All programs of at most so many statements (of these), the shorter ones first. */
export function* programsUpTo(
  length: number,
  words: readonly string[] = Object.keys(ALPHABET),
): Generator<Program> {
  for (let exactly = 1; exactly <= length; exactly++) yield* programsOf(exactly, words);
}

function* programsOf(length: number, words: readonly string[]): Generator<Program> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const name of words) {
    if (LAST.has(name) && length > 1) continue;
    for (const rest of programsOf(length - 1, words)) yield [...(ALPHABET[name] ?? []), ...rest];
  }
}

/** Each word that a program is made of, as its own line spells it: to count what was tried. */
export const WORDS: readonly string[] = [
  ...DOES,
  "looks",
  "tx",
  "sync",
  "own",
  "bare",
  "own-flaky",
  "bare-flaky",
  ...SIDE_BY_SIDE,
  ...REPEATS,
  ...EVENTS,
  "call",
  "start",
  "emit",
  "late",
  "told",
  "if",
  "try",
  "sleep",
  "sent",
  "unsent",
  "maybe",
  "offer",
  ...PLAIN,
];
