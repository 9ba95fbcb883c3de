/** Runs that are the same in every test run, with instants of their own: imported, for a store's clock writes other ones. */
import type { Client } from "@everstep/core";

export const NOON: number = Date.UTC(2026, 0, 15, 12);
const START = NOON - 3_600_000;

/** What must never reach a terminal as it is (S3): OSC 52 writes the clipboard, the rest turns and erases lines. */
export const HOSTILE = "declined \u001B]52;c;aGk=\u0007 \u001B[2J \u009B31m \u202Egnp.exe\r\u0000\u2028end";
export const SECRET = "tok_CANARY_7Q";

interface Line {
  readonly kind: string;
  readonly key: string;
  readonly afterMs: number;
  readonly value?: string;
  readonly error?: string;
}

const error = (message: string): string =>
  JSON.stringify({
    name: "StepFailedError",
    message: `step charge failed: ${message}`,
    stack: `at ${SECRET}`,
    props: { code: "STEP_FAILED", token: SECRET },
    cause: { name: "FatalError", message, props: { code: "card_declined" } },
  });

const note = (facts: object): string =>
  JSON.stringify({
    ...facts,
    note: JSON.stringify({ by: "ada@shop", because: `the bank is back \u001B[31m` }),
  });

function exported(id: string, run: object, lines: readonly Line[], more: object = {}): object {
  return {
    everstep: 1,
    inputHash: "x",
    run: {
      id,
      workflow: "order",
      version: "1",
      parent: null,
      event: null,
      raw: false,
      phase: "forward",
      end: null,
      attempt: 1,
      stuck: null,
      paused: null,
      priority: 0,
      tags: { customer: "ada" },
      input: JSON.stringify({ token: SECRET }),
      result: null,
      error: null,
      createdAt: START,
      startedAt: START + 5,
      endedAt: null,
      timeoutMs: null,
      ...run,
    },
    journal: lines.map(({ afterMs, ...line }, at) => ({
      seq: at + 1,
      attempt: 1,
      at: START + afterMs,
      ...line,
    })),
    messages: [],
    retries: [],
    awaits: [],
    ...more,
  };
}

const COMPLETED = exported(
  "order-1",
  { phase: "done", end: "completed", endedAt: START + 65_000, result: JSON.stringify(SECRET) },
  [
    { kind: "started", key: "charge", afterMs: 10 },
    { kind: "step", key: "charge", afterMs: 1250, value: JSON.stringify(SECRET) },
    { kind: "timer", key: "settle", afterMs: 61_250 },
    { kind: "step", key: "send-mail", afterMs: 64_999, value: "null" },
    { kind: "end", key: "completed", afterMs: 65_000 },
  ],
);

/** Failed, retried by a person, and failed again, with errors that attack terminals. */
const FAILED = exported(
  "order-2",
  {
    phase: "done",
    end: "failed",
    endedAt: START + 900_000,
    createdAt: START + 1,
    error: error(HOSTILE),
    tags: { customer: HOSTILE.replace("\0", "") },
    attempt: 2,
  },
  [
    { kind: "step", key: "charge", afterMs: 1000, error: error("declined once") },
    { kind: "end", key: "failed", afterMs: 1000 },
    {
      kind: "reset",
      key: "op-1",
      afterMs: 800_000,
      value: note({ operation: "retry", to: 0, carry: true, again: [] }),
    },
    { kind: "step", key: "charge", afterMs: 900_000, error: error(HOSTILE) },
    { kind: "end", key: "failed", afterMs: 900_000 },
  ],
);

const STUCK = exported(
  "order-3",
  {
    createdAt: START + 2,
    stuck: {
      code: "IN_DOUBT",
      message: JSON.stringify(`step charge was interrupted: ${HOSTILE}`),
      key: "charge",
      at: START + 60_000,
    },
  },
  [
    { kind: "step", key: "reserve", afterMs: 20, value: JSON.stringify(SECRET) },
    { kind: "started", key: "charge", afterMs: 20 },
  ],
  {
    retries: [
      {
        key: "charge",
        failures: 2,
        firstAt: START + 20,
        nextAt: null,
        error: error("ECONNREFUSED"),
        inDoubt: true,
      },
    ],
  },
);

const PAUSED = exported(
  "order-3/packing",
  {
    createdAt: START + 3,
    workflow: "packing",
    version: "7",
    parent: { runId: "order-3", key: "packing", called: true },
    paused: { at: START + 1000, note: JSON.stringify({ by: "bob@shop", because: "stock is counted" }) },
    attempt: 0,
    startedAt: null,
  },
  [],
);

export async function importShownRuns(client: Client): Promise<void> {
  for (const run of [COMPLETED, FAILED, STUCK, PAUSED]) await client.runs.import(JSON.stringify(run));
}
