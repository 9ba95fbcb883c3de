/** Evidence with one thing wrong, for each rule of the judge: a rule that nothing can break would defend nothing. */
import type { Entry } from "@everstep/core";
import type { Evidence, Execution, MessageRow, Watched } from "./evidence.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Evidence that may be changed. */
export interface Draft {
  others: Draft[];
  run: Omit<Mutable<Evidence["run"]>, "journal" | "messages" | "tags"> & {
    journal: Mutable<Entry>[];
    messages: Mutable<MessageRow>[];
    tags: Record<string, string>;
  };
  executions: Mutable<Execution>[];
  passes: (Omit<Mutable<Watched>, "lines"> & { lines: string[] })[];
  canceled: boolean;
  faulty: boolean;
  sent: string[];
  rows: string[];
}

/** What the falsifications start from: runs that are undone, that complete, that are canceled, alone and with others. */
export const HONEST = {
  undone:
    "[ok+own (try [declined+own] []) flaky+bare sleep:3000 sent (try [unsent:200] []) pivot ok+own ok+bare-flaky (all [ok+own] [ok+own]) (try [timeout] []) exhausted]",
  completed:
    "[ok patched flaky (contest [ok] [sleep:3600000]) draw sleep:3000 tag ok+looks maybe:200 maybe:3000]",
  canceled: "[ok+own await-cancel]",
  parent:
    "[(call+own [ok+own]) (try [(call+own [ok declined])] []) (start+told [ok]) (emit:echoed [ok]) tell tell-nobody (call+late [ok]) (map:3 [ok]) fatal]",
  writing:
    "[ok+tx (all [ok+sync] [ok+tx+sync]) flaky+tx (try [declined+tx+bare] []) (try [exhausted+tx+sync] []) ok fatal]",
  racing: "[(contest [(call [ok+own sleep:3600000])] [sleep:200]) ok (call [ok])]",
} as const;

export interface Falsification {
  /** How the finding begins. */
  readonly finding: string;
  readonly of: keyof typeof HONEST;
  readonly falsify: (draft: Draft) => void;
}

export const entry = (draft: Draft, kind: string, key: string): Mutable<Entry> =>
  found(draft.run.journal.find((one) => one.kind === kind && one.key === key));

export const execution = (draft: Draft, kind: string, key: string): Mutable<Execution> =>
  found(draft.executions.find((one) => one.kind === kind && one.key === key));

const lines = (draft: Draft): string[] => found(draft.passes.at(-1)).lines;

/** Changes the line that begins so, in the pass that saw all. */
function reword(draft: Draft, begin: string, change: (line: string) => string): void {
  const own = lines(draft);
  const index = own.findIndex((line) => line.startsWith(begin));
  own[index] = change(found(own[index]));
}

export function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}

/** Takes an entry out, and closes the gap. */
export function forget(draft: Draft, kind: string, key: string): void {
  remove(draft.run.journal, entry(draft, kind, key));
  for (const [index, one] of draft.run.journal.entries()) one.seq = index + 1;
}

function add(draft: Draft, kind: Entry["kind"], key: string): void {
  const last = found(draft.run.journal.pop());
  draft.run.journal.push(
    { seq: last.seq, kind, key, at: last.at, attempt: last.attempt },
    { ...last, seq: last.seq + 1 },
  );
}

export function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Error("the honest evidence has no such thing");
  return thing;
}

export const undoneKeys = (draft: Draft, change: (keys: string[]) => void): void => {
  const decision = entry(draft, "unwinding", "failed");
  const value = JSON.parse(decision.value ?? "") as { keys: string[] };
  change(value.keys);
  decision.value = JSON.stringify(value);
};

export function falsification(
  finding: string,
  of: Falsification["of"],
  falsify: Falsification["falsify"],
): Falsification {
  return { finding, of, falsify };
}

export const FALSIFICATIONS: readonly Falsification[] = [
  // The journal.
  falsification("I3 entry", "completed", (draft) => remove(draft.run.journal, found(draft.run.journal[1]))),
  falsification("I3 step step-2 is older", "completed", (draft) => (entry(draft, "step", "step-2").at = 1)),
  falsification("I3 step step-0 is there twice", "completed", (draft) => add(draft, "step", "step-0")),
  falsification("I9", "completed", (draft) => (entry(draft, "step", "step-2").attempt = 0)),
  falsification("I9", "completed", (draft) => (draft.run.attempt = 0)),
  falsification("I10", "completed", (draft) => {
    const last = found(draft.run.journal.at(-1));
    draft.run.journal.push({ ...last, seq: last.seq + 1, kind: "patched", key: "late" });
  }),
  falsification("I12 entry", "completed", (draft) => add(draft, "timer", "sleep-9")),
  falsification("I12 entry", "undone", (draft) => add(draft, "started", "step-2")),
  falsification("I12 entry", "completed", (draft) => (entry(draft, "step", "step-0").kind = "timer")),

  // The end.
  falsification("L1 not ended", "completed", (draft) => (draft.run.end = null)),
  falsification("L1 it ended", "completed", (draft) => (draft.run.end = "failed")),
  falsification("L1 it ended", "undone", (draft) => (draft.run.end = "completed")),
  falsification("L1 it ended", "canceled", (draft) => (draft.run.end = "failed")),
  falsification("L1 its end", "completed", (draft) => draft.run.journal.pop()),
  falsification("L1 it was canceled", "canceled", (draft) => (draft.canceled = false)),
  falsification("L1 rows", "completed", (draft) => {
    draft.run.retries = [{ key: "step-0", failures: 1, firstAt: 1, nextAt: 1, inDoubt: false }];
  }),
  falsification("L1 it completed before", "completed", (draft) => forget(draft, "timer", "sleep-5")),
  falsification("L1 it completed, but not", "completed", (draft) => forget(draft, "step", "step-2")),
  falsification("L1 its result", "completed", (draft) => (draft.run.result = "[]")),
  falsification(
    "L1 its error",
    "undone",
    (draft) => (draft.run.error = '{"name":"Error","message":"other"}'),
  ),
  falsification(
    "L1 its error",
    "canceled",
    (draft) => (draft.run.error = '{"name":"Error","message":"other"}'),
  ),
  falsification("L1 tags", "completed", (draft) => (draft.run.tags = {})),

  // Outcomes and executions.
  falsification("I4", "completed", (draft) => (execution(draft, "step", "step-0").durable = 1)),
  falsification(
    "I4",
    "undone",
    (draft) => (execution(draft, "undo", "step-7").durable = draft.run.journal.length),
  ),
  falsification(
    "I5 its value is of no",
    "completed",
    (draft) => (entry(draft, "step", "step-0").value = '"t99"'),
  ),
  falsification(
    "I5 its value is of an",
    "completed",
    (draft) => delete execution(draft, "step", "step-0").ended,
  ),
  falsification("I5 a step that is exhausted has a value", "undone", (draft) => {
    delete entry(draft, "step", "step-11").error;
  }),
  falsification("I5 a step that is ok failed", "completed", (draft) => {
    entry(draft, "step", "step-0").error = '{"name":"StepFailedError","message":""}';
  }),
  falsification("I5 it failed with", "undone", (draft) => {
    const own = entry(draft, "step", "step-10.0.0");
    own.error = own.error?.replace("StepTimeoutError", "Error");
  }),
  falsification("I5 its error", "undone", (draft) => {
    const own = entry(draft, "step", "step-11");
    own.error = own.error?.replaceAll("exhausted t", "exhausted u");
  }),
  falsification("I6 its idempotency key", "completed", (draft) => {
    execution(draft, "step", "step-0").idempotencyKey += "~2";
  }),
  falsification("I6 step step-0 is settled after 0", "completed", (draft) => {
    remove(draft.executions, execution(draft, "step", "step-0"));
  }),
  falsification("I6 step step-0 ran 2 times", "completed", (draft) => {
    draft.executions.push({ ...execution(draft, "step", "step-0"), token: "t99" });
  }),
  falsification("I7", "completed", (draft) => {
    draft.faulty = true;
    draft.executions.push({ ...execution(draft, "step", "step-7"), token: "t99" });
  }),
  falsification("I12 it ran", "completed", (draft) =>
    Object.assign(execution(draft, "step", "step-0"), { key: "step-9", idempotencyKey: "run-1/step-9" }),
  ),
  falsification("I17 its attempt", "completed", (draft) => (execution(draft, "step", "step-0").attempt = 2)),
  falsification("I17 its attempt is 1, though", "completed", (draft) => {
    execution(draft, "step", "step-0").stored = 1;
  }),
  falsification("I17 it failed after", "undone", (draft) => {
    const own = entry(draft, "step", "step-11");
    own.error = own.error?.replace('"attempts":2', '"attempts":3');
  }),
  falsification("I18", "canceled", (draft) => (execution(draft, "step", "step-1").durable = 4)),
  falsification("I18 it began while", "completed", (draft) => {
    const [first] = draft.run.journal;
    draft.run.journal.unshift({ ...found(first), kind: "pause", key: "operation" });
    for (const [index, one] of draft.run.journal.entries()) one.seq = index + 1;
  }),
  falsification("E2", "completed", (draft) => (execution(draft, "step", "step-2").durable = 0)),

  // What is undone.
  falsification("I13 it began after the decision", "undone", (draft) => {
    draft.faulty = true;
    draft.executions.push({
      ...execution(draft, "step", "step-7"),
      durable: draft.run.journal.length,
      thawed: false,
    });
    forget(draft, "step", "step-7");
  }),
  falsification(
    "I13 it began before its start",
    "undone",
    (draft) => (execution(draft, "step", "step-7").durable = 0),
  ),
  falsification("I13 the decision", "undone", (draft) =>
    undoneKeys(draft, (keys) => keys.push(keys.shift() ?? "")),
  ),
  falsification("I13 the decision", "undone", (draft) => undoneKeys(draft, (keys) => keys.push("step-0"))),
  falsification("I13 the decision", "undone", (draft) => undoneKeys(draft, (keys) => keys.pop())),
  falsification("I13 undone are", "undone", (draft) => forget(draft, "undo", "step-7")),
  falsification("I13 undo undo-8 never ran", "undone", (draft) => {
    draft.executions = draft.executions.filter(({ key }) => key !== "undo-8");
  }),
  falsification("I13 undo step-7 succeeded", "undone", (draft) => {
    draft.executions.push(execution(draft, "undo", "step-7"));
  }),
  falsification("I13 undo step-7 began before", "undone", (draft) => {
    execution(draft, "undo", "step-7").durable = entry(draft, "unwinding", "failed").seq;
  }),
  falsification(
    "I13 undo step-7 was told",
    "undone",
    (draft) => (execution(draft, "undo", "step-7").told = "unknown"),
  ),
  falsification("I13 undo step-0 ran", "undone", (draft) => {
    draft.executions.push({ ...execution(draft, "undo", "step-7"), key: "step-0" });
  }),
  falsification("I13 the decision", "canceled", (draft) => forget(draft, "unwinding", "canceled")),

  // Signals and time.
  falsification("I14 sent-4 got what nobody", "undone", (draft) => (draft.run.messages = [])),
  falsification(
    "I14 the signal of sent-4",
    "undone",
    (draft) => (found(draft.run.messages[0]).consumedBy = null),
  ),
  falsification("I14 message", "undone", (draft) => {
    draft.run.messages.push({ ...found(draft.run.messages[0]), id: "second", no: 2, consumedBy: 1 });
  }),
  falsification("I14 a cancel", "canceled", (draft) => (found(draft.run.messages[0]).consumedBy = null)),
  falsification("I14 message", "canceled", (draft) => (found(draft.run.messages[0]).consumedBy = 1)),
  falsification("I14 unsent-5.0.0 got what sent-4", "undone", (draft) => {
    const own = entry(draft, "signal", "unsent-5.0.0");
    delete own.error;
    own.value = entry(draft, "signal", "sent-4").value;
  }),
  falsification("I14 maybe-8 timed out", "completed", (draft) => {
    const sent = found(draft.run.messages.find(({ name }) => name === "maybe-9"));
    draft.run.messages.push({ ...sent, name: "maybe-8", id: "early", at: 0, consumedBy: null });
  }),
  falsification("I14 maybe-9 took", "completed", (draft) => {
    found(draft.run.messages.find(({ name }) => name === "maybe-9")).at += 3000;
  }),
  falsification("I14 signal lost", "undone", (draft) => draft.sent.push("lost")),
  falsification("I15 timer", "completed", (draft) => {
    for (const one of draft.run.journal) one.at = found(draft.run.journal[0]).at;
  }),
  falsification("I15 signal unsent-5.0.0", "undone", (draft) => {
    entry(draft, "signal", "unsent-5.0.0").at -= 1;
  }),

  // What the code saw.
  falsification("I19 pass", "completed", (draft) => reword(draft, "got step-0 ", (line) => `${line}1`)),
  falsification("I19 pass", "completed", (draft) => {
    draft.faulty = true;
    found(draft.passes.at(-1)).durable = 3;
    reword(draft, "got step-0 ", (line) => `${line}1`);
  }),
  falsification("I19 no pass", "completed", (draft) => {
    draft.faulty = true;
    lines(draft).splice(lines(draft).findIndex((line) => line.startsWith("got sleep-5")));
  }),
  falsification('I19 "ask step step-2" came', "completed", (draft) => {
    const own = lines(draft);
    own.unshift(...own.splice(own.indexOf("ask step step-2"), 1));
  }),
  falsification('I19 "drew draw-4" was', "completed", (draft) => {
    remove(lines(draft), found(lines(draft).find((line) => line.startsWith("drew"))));
  }),
  falsification('I19 "won contest-3 1"', "completed", (draft) =>
    reword(draft, "won", () => "won contest-3 1"),
  ),
  falsification("I12 pass", "completed", (draft) => {
    const first = found(draft.passes[0]);
    draft.passes.push({ ...first, pass: 2, lines: first.lines.with(0, "ask step step-9").slice(0, 1) });
  }),
];
