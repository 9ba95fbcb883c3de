/** The same for what runs did to each other. */
import {
  type Draft,
  entry,
  execution,
  type Falsification,
  falsification,
  forget,
  found,
  remove,
  undoneKeys,
} from "./falsified.ts";

const other = (draft: Draft, id: string): Draft => found(draft.others.find(({ run }) => run.id === id));

export const FAMILY_FALSIFICATIONS: readonly Falsification[] = [
  // Children.
  falsification("I16 call call-0 of run-1: its run", "parent", (draft) =>
    remove(draft.others, other(draft, "run-1/call-0")),
  ),
  falsification("I16 start start-2 of run-1: its run", "parent", (draft) =>
    remove(draft.others, other(draft, "run-1/start-2")),
  ),
  falsification("I16 call-0 of run-1 has 2 runs", "parent", (draft) => {
    const child = other(draft, "run-1/call-0");
    draft.others.push({ ...child, run: { ...child.run, id: "run-1/call-0~2" } });
  }),
  falsification("I16 run-1/call-9: nobody", "parent", (draft) => {
    const child = other(draft, "run-1/call-0");
    draft.others.push({
      ...child,
      run: { ...child.run, id: "run-1/call-9", parent: { runId: "run-1", key: "call-9", called: true } },
    });
  }),
  falsification("I16 call call-0 of run-1 did not", "parent", (draft) => {
    other(draft, "run-1/call-0").run.result = '["t99"]';
  }),
  falsification("I16 call call-0 of run-1 did not", "parent", (draft) => {
    other(draft, "run-1/call-0").run.end = "canceled";
  }),
  falsification("I16 call call-1.0.0 of run-1 did not", "parent", (draft) => {
    const own = entry(draft, "child", "call-1.0.0");
    own.error = own.error?.replace('"status":"failed"', '"status":"canceled"');
  }),
  falsification("I16 call call-1.0.0 of run-1 did not", "parent", (draft) => {
    const own = entry(draft, "child", "call-1.0.0");
    own.error = own.error?.replace("ChildFailedError", "Error");
  }),
  falsification("I16 its parent undid", "parent", (draft) => forget(draft, "child", "call-0")),
  falsification("I16 child call-2 is dropped", "racing", (draft) => {
    entry(draft, "drop", "call-0.0.0").key = "call-2";
  }),
  falsification("I16 nobody waits for child call-0.0.0", "racing", (draft) => {
    const { run } = other(draft, "run-1/call-0.0.0");
    run.messages = [];
    run.endedAt = found(run.endedAt ?? undefined) + 3_600_000;
  }),
  falsification("I14 the end of child call-2", "racing", (draft) => {
    found(draft.run.messages.find(({ name }) => name === "call-2")).consumedBy = null;
  }),
  falsification("I16 run-1/call-0.0.0 ended", "racing", (draft) => forget(draft, "drop", "call-0.0.0")),
  falsification("L1 it completed, but not its call-2", "racing", (draft) => forget(draft, "child", "call-2")),
  falsification("I12 entry", "racing", (draft) => (entry(draft, "call", "call-2").key = "call-9")),
  falsification("I12 entry", "parent", (draft) => (entry(draft, "emit", "emit echoed").key = "emit quiet")),
  falsification("I13 undone are", "parent", (draft) => forget(draft, "undo", "call-0")),
  falsification("I13 the decision", "parent", (draft) =>
    undoneKeys(draft, (keys) => keys.push("call-1.0.0")),
  ),
  falsification("I13 undo call-0 was told", "parent", (draft) => {
    execution(draft, "undo", "call-0").told = "unknown";
  }),
  falsification("I14 message", "parent", (draft) => {
    found(draft.run.messages.find(({ type }) => type === "child")).name = "call-9";
  }),
  falsification(
    "L1 it was canceled",
    "racing",
    (draft) => (other(draft, "run-1/call-0.0.0").canceled = false),
  ),
  falsification("L1 not ended", "parent", (draft) => (other(draft, "run-1/start-2").run.end = null)),
  falsification("I6 its idempotency key", "parent", (draft) => {
    execution(other(draft, "run-1/call-0"), "step", "step-0").idempotencyKey = "run-1/call-0/step-0";
  }),

  // Signals.
  falsification("I14 signal told-2 arrived 0", "parent", (draft) => {
    other(draft, "run-1/start-2").run.messages = [];
  }),
  falsification("I14 signal tell-4 arrived 2", "parent", (draft) => {
    draft.run.messages.push(found(draft.run.messages.find(({ name }) => name === "tell-4")));
  }),
  falsification("I14 signal tell-4 was answered", "parent", (draft) => {
    entry(draft, "send", "signal tell-4").error = "not-found";
  }),
  falsification("I14 signal nobody-5 was answered", "parent", (draft) => {
    delete entry(draft, "send", "signal nobody-5").error;
  }),
  falsification("I14 signal late-6 was answered", "parent", (draft) => {
    entry(draft, "send", "signal late-6").error = "not-found";
  }),

  // Events.
  falsification("I22 emit echoed of run-1 started", "parent", (draft) => {
    remove(draft.others, found(draft.others.find(({ run }) => run.workflow === "echoed-1")));
  }),
  falsification("I22 emit echoed of run-1 started", "parent", (draft) => {
    const listener = found(draft.others.find(({ run }) => run.workflow === "echoed-1"));
    draft.others.push({ ...listener, run: { ...listener.run, id: "another" } });
  }),
  falsification("I22", "parent", (draft) => {
    found(draft.others.find(({ run }) => run.workflow === "echoed-0")).run.event = "other/";
  }),
];
