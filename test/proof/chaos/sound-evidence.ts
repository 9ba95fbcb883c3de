/** Evidence in which nothing is wrong, and ways to put one thing wrong in it. */
import type { Entry, RunDetails } from "@everstep/core";
import type { Evidence } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";

export type Draft = Pick<Entry, "kind" | "key"> & Partial<Entry>;

export function runOf(
  workflow: string,
  drafts: readonly Draft[],
  end: Partial<RunDetails["run"]>,
): RunDetails {
  const journal = drafts.map((draft, index) => ({
    seq: index + 1,
    at: 1_000 + 100 * index,
    attempt: 1,
    ...draft,
  }));
  const run = {
    id: `${workflow}-1`,
    workflow,
    attempt: 2,
    end: "completed",
    stuck: null,
    result: null,
    input: '{"no":1}',
    parent: null,
    event: null,
    timeoutMs: null,
    ...end,
  };
  // Only what the judge looks at.
  return { run, journal, messages: [], retries: [] } as unknown as RunDetails;
}

export const messageOf = (payload: string): RunDetails["messages"][number] => ({
  no: 1,
  type: "signal",
  id: payload,
  name: "ring",
  payload: JSON.stringify(payload),
  at: 2_000,
});
export const ok = (key: string, token = key): Draft => ({ kind: "step", key, value: JSON.stringify(token) });
export const plain = (...keys: string[]): string =>
  JSON.stringify(Object.fromEntries(keys.map((key) => [key, key])));

/** In the order in which they are listed, see `numbered`. */
const ANY_TIME = { no: 0, at: 0 } as const;

/** A begin and an end for each: `run step`, with what an undo was told. */
export function executions(...places: [run: string, step: string, told?: string][]): LedgerEvent[] {
  return places.flatMap(([run, step, told = ""]) => {
    const [name] = step.split("/");
    const body = { run, step, key: `${run}/${step}`, attempt: 1, pid: 7, token: name ?? "" };
    const fails = step === "decline";
    return [
      { ...body, ...ANY_TIME, type: "begin", outcome: told },
      { ...body, ...ANY_TIME, type: "end", outcome: fails ? "failed" : "completed" },
    ];
  });
}

const GATHERED: readonly Draft[] = [
  ...["a", "b", "c"].map((key) => ok(key)),
  { kind: "timer", key: "nap", at: 1_230 },
  { kind: "signal", key: "approval", at: 1_300, value: '"approval 0 of gather-1"' },
  ok("last"),
];

const GIVEN_UP: readonly Draft[] = [
  ok("open"),
  { kind: "signal", key: "ring", at: 1_150, error: "{}" },
  ok("close"),
];

const SAGA: readonly Draft[] = [
  { kind: "started", key: "reserve" },
  ok("reserve"),
  { kind: "started", key: "charge" },
  { kind: "cancel", key: "" },
  { kind: "unwinding", key: "canceled" },
  { kind: "undo", key: "charge" },
  { kind: "undo", key: "reserve" },
  { kind: "undo", key: "hold" },
];

const line = (type: LedgerEvent["type"], about: Partial<LedgerEvent>): LedgerEvent => ({
  ...ANY_TIME,
  run: "",
  step: "",
  key: "",
  attempt: 0,
  pid: 0,
  token: "",
  outcome: "",
  type,
  ...about,
});

/** A worker is given runs that have so many entries. */
export const given = (attempt: number, entries: number, ...runs: string[]): LedgerEvent[] =>
  runs.map((run) => line("claimed", { run, attempt, key: "1", pid: 7, token: String(entries) }));

const SHIP: readonly Draft[] = [
  { kind: "started", key: "pack" },
  ok("pack"),
  { kind: "pivot", key: "left the house" },
  { kind: "started", key: "label" },
  ok("label"),
  { kind: "started", key: "decline" },
  { kind: "step", key: "decline", error: "{}" },
  { kind: "unwinding", key: "failed" },
  { kind: "undo", key: "label" },
];

const GRAVE: readonly Draft[] = [
  ok("dig"),
  { kind: "started", key: "bury" },
  { kind: "resume", key: "by hand" },
  ok("bury"),
];

const PAID: readonly Draft[] = [ok("authorize"), { kind: "started", key: "capture" }, ok("capture")];

const ECHO = "born/family-1%2Femit born/echo";

const sent = (kind: Draft["kind"], key: string, id: string): Draft => ({
  kind,
  key,
  value: JSON.stringify(id),
});

const FAMILY: readonly Draft[] = [
  ok("knock"),
  sent("call", "child", "family-1/child"),
  { kind: "child", key: "child", value: plain("one", "two") },
  sent("emit", "emit born", "family-1/emit born"),
  { kind: "signal", key: "echoed", value: '"echo of family-1, secret"' },
  sent("start", "heir", "family-1/heir"),
  ok("leave"),
  { kind: "step", key: "decline", error: "{}" },
  { kind: "unwinding", key: "failed" },
  { kind: "undo", key: "child" },
];

/** A family whose run fails, and all that it has led to. */
const FAMILIES: readonly RunDetails[] = [
  runOf("family", FAMILY, { end: "failed", input: '{"no":4}' }),
  runOf("five", [ok("one"), ok("two")], {
    id: "family-1/child",
    result: plain("one", "two"),
    parent: { runId: "family-1", key: "child", called: true },
  }),
  runOf("careful", [ok("before")], {
    id: "family-1/heir",
    result: plain("before"),
    parent: { runId: "family-1", key: "heir", called: false },
  }),
  runOf("echo", [ok("hear")], { id: ECHO, result: plain("hear"), event: "born/family-1%2Femit born/" }),
];

/** A run that failed, and went back to before what failed. */
const REGRET: readonly Draft[] = [
  ok("ponder"),
  { kind: "step", key: "act", error: "{}" },
  { kind: "end", key: "failed" },
  { kind: "reset", key: "by hand", value: '{"to":1}' },
  ok("act"),
];

export const SOUND: Evidence = {
  starts: [
    { id: "five-1", workflow: "five", via: "client", tries: ["unknown", "ok"] },
    { id: "gather-1", workflow: "gather", via: "worker", tries: ["ok"] },
    { id: "saga-1", workflow: "saga", via: "worker", tries: ["unknown"], isCanceled: true },
    { id: "posted-1", workflow: "posted", via: "tx", tries: ["ok"] },
    { id: "five-2", workflow: "five", via: "tx", tries: ["unknown"] },
    { id: "bell-1", workflow: "bell", via: "client", tries: ["ok"] },
    { id: "careful-1", workflow: "careful", via: "client", tries: ["ok"] },
    { id: "ship-1", workflow: "ship", via: "client", tries: ["ok"] },
    { id: "grave-1", workflow: "grave", via: "client", tries: ["ok"] },
    { id: "paid-1", workflow: "paid", via: "client", tries: ["ok"] },
    { id: "family-1", workflow: "family", via: "client", tries: ["ok"] },
    { id: "regret-1", workflow: "regret", via: "client", tries: ["ok"] },
  ],
  signals: [
    { run: "gather-1", name: "approval", payload: "approval 0 of gather-1", outcome: "ok" },
    { run: "gather-1", name: "approval", payload: "approval 0 of gather-1", outcome: "late" },
    { run: "bell-1", name: "ring", payload: "ring 0 of bell-1", outcome: "ok" },
    { run: "bell-1", name: "ring", payload: "ring 1 of bell-1", outcome: "late" },
  ],
  runs: [
    runOf("five", [ok("one"), ok("two")], { result: plain("one", "two") }),
    runOf("gather", GATHERED, { result: JSON.stringify({ a: "a", approval: "approval 0 of gather-1" }) }),
    runOf("saga", SAGA, { end: "canceled" }),
    runOf("posted", [ok("quote"), ok("debit", "row")], { result: '{"quote":"quote","debit":"row"}' }),
    {
      ...runOf("bell", GIVEN_UP, { result: '{"open":"open","ring":"nobody","close":"close"}' }),
      messages: [messageOf("ring 0 of bell-1")],
    },
    runOf("ship", SHIP, { end: "failed" }),
    runOf("grave", GRAVE, { result: plain("dig", "bury") }),
    runOf("paid", PAID, { result: plain("authorize", "capture") }),
    runOf("careful", [ok("before"), ok("once", "in doubt")], { result: '{"once":"in doubt"}' }),
    ...FAMILIES,
    runOf("regret", REGRET, { result: plain("ponder", "act") }),
  ],
  events: [
    ...executions(["five-1", "one"], ["five-1", "two"]),
    ...executions(["gather-1", "a"], ["gather-1", "b"], ["gather-1", "c"], ["gather-1", "last"]),
    ...executions(["saga-1", "reserve"], ["saga-1", "charge"], ["saga-1", "charge/undo", "unknown"]),
    ...executions(["saga-1", "reserve/undo", "reserve"], ["saga-1", "reserve/undo", "reserve"]),
    ...executions(["saga-1", "hold/undo"], ["posted-1", "quote"], ["bell-1", "open"], ["bell-1", "close"]),
    ...executions(["careful-1", "before"], ["careful-1", "once"]),
    ...executions(
      ["ship-1", "pack"],
      ["ship-1", "label"],
      ["ship-1", "decline"],
      ["ship-1", "label/undo", "label"],
    ),
    ...executions(["grave-1", "dig"], ["grave-1", "bury"], ["grave-1", "bury"]),
    ...executions(["paid-1", "authorize"], ["paid-1", "capture"]),
    ...executions(
      ["family-1", "knock"],
      ["family-1/child", "one"],
      ["family-1/child", "two"],
      [ECHO, "hear"],
    ),
    ...executions(["family-1/heir", "before"], ["family-1", "leave"], ["family-1", "child/undo"]),
    ...executions(["regret-1", "ponder"]),
    ...executions(["regret-1", "act"]).map((event) => ({
      ...event,
      token: "failed",
      outcome: event.type === "end" ? "failed" : "",
    })),
    ...executions(["regret-1", "act"]).map((event) => ({ ...event, key: `${event.key}~2` })),
    ...given(1, 0, "family-1", "family-1/child", "family-1/heir", ECHO, "regret-1"),
    ...given(
      1,
      0,
      ...["five", "gather", "saga", "posted", "bell", "careful", "ship", "grave", "paid"].map(
        (of) => `${of}-1`,
      ),
    ),
  ],
  orders: [
    { run: "grave-1", wish: "resume", outcome: "ok" },
    { run: "grave-1", wish: "resume", outcome: "unknown" },
    { run: "grave-1", wish: "resume", outcome: "refused" },
  ],
  operations: [
    { kind: "opened", orderId: "paid-1", amount: 1_999 },
    { kind: "charged", orderId: "paid-1", amount: 1_999 },
  ],
  postings: [{ run: "posted-1", step: "debit", token: "row" }],
  requests: ["posted-1"],
  integrity: ["ok"],
  leaks: [],
  liveWorkers: 0,
  sessions: [
    { when: "idle", state: "idle", sinceMs: 90_000 },
    { when: "idle", state: "idle in transaction", sinceMs: 5 },
  ],
};

/** The ledger gives its events their places, and a millisecond to each of those of any time. */
export function numbered(evidence: Evidence): Evidence {
  const events = evidence.events.map((event, index) => ({
    ...event,
    no: index + 1,
    at: event.at === 0 ? index + 1 : event.at,
  }));
  return { ...evidence, events };
}

export const journalOf = (
  id: string,
  change: (journal: readonly Entry[]) => readonly Entry[],
): Partial<Evidence> => ({
  runs: SOUND.runs.map((details) =>
    details.run.id === id ? { ...details, journal: change(details.journal) } : details,
  ),
});
export const runWith = (id: string, change: object): Partial<Evidence> => ({
  runs: SOUND.runs.map((details) =>
    details.run.id === id ? { ...details, run: { ...details.run, ...change } } : details,
  ),
});
export const eventsWith = (
  change: (event: LedgerEvent) => LedgerEvent | readonly LedgerEvent[],
): Partial<Evidence> => ({
  events: SOUND.events.flatMap(change),
});
export const mark = (run: string, step: string): LedgerEvent => line("mark", { run, step });
export const froze = (pid: number): LedgerEvent => line("froze", { pid });
export const thawed = (pid: number, at: number): LedgerEvent => line("thawed", { pid, at });
/** Another process, which was frozen, begins again what has begun. */
export const asZombie = (run: string, step: string, at: number, pid: number = 8): LedgerEvent =>
  line("begin", { run, step, key: `${run}/${step}`, attempt: 1, pid, at });
export const FIVE_MARKED = [...SOUND.events, mark("five-1", "one")];
export const swapped = (list: readonly Entry[], a: number, b: number): readonly Entry[] =>
  list.map((entry, index) =>
    index === a || index === b ? { ...entry, key: list[a + b - index]?.key ?? "" } : entry,
  );
