/** Every kind of write, as it is sent again when its answer was lost. */
import type { ImportWrite, OperateWrite, Outcome, Write } from "@everstep/core";
import { advance, call, cancel, emit, end, entry, park, signal, start } from "../hand.ts";

const STUCK = { do: "stick", stuck: { code: "BUG", message: '"why"', at: 1 } } as const;
const RESUME: OperateWrite = {
  kind: "operate",
  runId: "a",
  operation: "resume",
  id: "resume-1",
  value: '"me"',
};

export interface LostWrite {
  /** Each in a batch of its own. */
  readonly before: readonly Write[];
  readonly write: Write;
  readonly isLeased: boolean;
  /** When the first one was executed after all; the same as for any one that is resent, unless it says so. */
  readonly again: Outcome["is"];
  readonly first: Outcome["is"];
}

export const born = start("a", { claim: true });
const IMPORT: ImportWrite = {
  kind: "import",
  run: {
    id: "a",
    workflow: "order",
    version: "1",
    parent: null,
    event: null,
    raw: false,
    phase: "forward",
    end: null,
    attempt: 0,
    stuck: null,
    paused: null,
    priority: 0,
    tags: { city: "Lisbon" },
    input: "1",
    result: null,
    error: null,
    createdAt: 1,
    startedAt: null,
    endedAt: null,
    timeoutMs: null,
  },
  inputHash: "1",
  journal: [{ ...entry(1), attempt: 0 }],
  messages: [{ type: "signal", id: "1", name: "go", payload: "1", at: 1 }],
  retries: [],
  awaits: [],
};

export const LOST_WRITES: Readonly<Record<string, LostWrite>> = {
  start: { before: [], write: start("a"), isLeased: false, first: "created", again: "exists" },
  "a start that is born claimed": {
    before: [],
    write: born,
    isLeased: true,
    first: "created",
    again: "created",
  },
  "entries of a run": {
    before: [born],
    write: advance("a", { entries: [entry(1), entry(2)] }),
    isLeased: true,
    first: "done",
    again: "done",
  },
  park: { before: [born], write: park("a"), isLeased: true, first: "done", again: "done" },
  end: { before: [born], write: end("a"), isLeased: true, first: "done", again: "done" },
  "a signal": {
    before: [born],
    write: signal("a", "s"),
    isLeased: false,
    first: "done",
    again: "duplicate",
  },
  "a cancel": {
    before: [born],
    write: cancel("a", "c"),
    isLeased: false,
    first: "done",
    again: "duplicate",
  },
  "an operator's resume": {
    before: [born, advance("a", { then: STUCK })],
    write: RESUME,
    isLeased: false,
    first: "done",
    again: "done",
  },
  "a step": {
    before: [born],
    write: advance("a", { entries: [entry(1)] }),
    isLeased: true,
    first: "done",
    again: "done",
  },
  "children, an event and a signal that are sent out": {
    before: [born, start("b")],
    write: advance("a", {
      entries: [entry(1), entry(2), entry(3)],
      sends: [
        call(1, "a/1"),
        emit(2, "1"),
        {
          kind: "message",
          seq: 3,
          runId: "b",
          message: { type: "signal", id: "1", name: "go", payload: "1" },
        },
      ],
      outbox: [{ id: "1", text: "1" }],
    }),
    isLeased: true,
    first: "done",
    again: "done",
  },
  "an end that others wait for": {
    before: [start("b", { claim: true }), born, advance("a", { entries: [entry(1)], sends: [call(1, "b")] })],
    write: end("b"),
    isLeased: true,
    first: "done",
    again: "done",
  },
  "an event": {
    before: [],
    write: { kind: "emit", event: emit(1, "1").event },
    isLeased: false,
    first: "emitted",
    again: "emitted",
  },
  "an operator's pause": {
    before: [start("a")],
    write: { ...RESUME, operation: "pause" },
    isLeased: false,
    first: "done",
    again: "done",
  },
  "a repair": {
    before: [born, advance("a", { then: STUCK })],
    write: {
      kind: "mend",
      runId: "a",
      attempt: 1,
      length: 0,
      entries: [entry(1, { kind: "reset", key: "1" })],
      then: "due",
    },
    isLeased: false,
    first: "done",
    again: "done",
  },
  "a workflow's pause": {
    before: [start("a")],
    write: { kind: "pause-workflow", workflow: "order", note: "1" },
    isLeased: false,
    first: "done",
    again: "done",
  },
  "a purge": {
    before: [born, end("a")],
    write: { kind: "purge", runId: "a" },
    isLeased: false,
    first: "done",
    again: "not-found",
  },
  "an import": { before: [], write: IMPORT, isLeased: false, first: "done", again: "conflict" },
  "rows of the outbox that have arrived": {
    before: [born, advance("a", { outbox: [{ id: "1", text: "1" }] })],
    write: { kind: "shipped", nos: [1] },
    isLeased: false,
    first: "done",
    again: "done",
  },
  leave: { before: [born], write: { kind: "leave" }, isLeased: true, first: "done", again: "done" },
};
