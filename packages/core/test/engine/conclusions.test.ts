/** When a run may be let go, and what it comes to (E5, the state chart). */
import { describe, expect, test } from "vitest";
import { RunCanceledError, StepFailedError } from "../../src/index.ts";
import { statusOf } from "../../src/engine/status.ts";
import { cancel, entries, failed, MachineRig, runRecord, START, values } from "../support/machine-rig.ts";

describe("waiting: nothing executing, every ask waits", () => {
  test("for timers, signals and retries, with what they are and until when", () => {
    const rig = new MachineRig();
    rig.timer("t", 10_000);
    rig.wait("s", 20_000);
    rig.wait("open");
    const step = rig.step("a", { retry: { initialDelay: 8000 } });
    rig.begin(step);
    rig.end(step, failed("again", { random: 1 }));
    expect(rig.machine.waiting(rig.now)).toEqual({
      dueAt: rig.now + 8000,
      waits: [
        { kind: "timer", key: "t", until: START + 10_000 },
        { kind: "signal", key: "s", until: START + 20_000 },
        { kind: "signal", key: "open", until: null },
        { kind: "retry", key: "a", until: rig.now + 8000 },
      ],
    });
  });

  test("for a signal without a timeout nothing is due by itself", () => {
    const rig = new MachineRig();
    rig.wait("s");
    expect(rig.machine.waiting(rig.now)).toMatchObject({ dueAt: null });
  });

  test("not while a body executes", () => {
    const rig = new MachineRig();
    rig.timer("t", 10_000);
    rig.begin(rig.step("a"));
    expect(rig.machine.waiting(rig.now)).toBeUndefined();
  });

  test("not while something is undelivered", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"]) });
    rig.step("a");
    rig.timer("t", 10_000);
    expect(rig.machine.waiting(rig.now)).toBeUndefined();
  });

  test("not while a step is to begin", () => {
    const rig = new MachineRig();
    rig.timer("t", 10_000);
    rig.step("a");
    expect(rig.machine.waiting(rig.now)).toBeUndefined();
  });

  test("not when the code waits for nothing of everstep's", () => {
    expect(new MachineRig().machine.waiting(START)).toBeUndefined();
  });

  test("not when it is stuck", () => {
    const rig = new MachineRig();
    rig.timer("t", 10_000);
    rig.machine.stick("BUG", "a bug", rig.now);
    expect(rig.machine.waiting(rig.now)).toBeUndefined();
  });

  test("the run's timeout is due as well", () => {
    const rig = new MachineRig({ run: { timeoutMs: 5000 } });
    rig.wait("s");
    expect(rig.machine.waiting(rig.now)).toMatchObject({ dueAt: START + 5000 });
    expect(rig.machine.nextDueAt(rig.now)).toBe(START + 5000);
  });

  test("a withdrawn wait is waited for no more", () => {
    const rig = new MachineRig();
    rig.machine.withdraw(rig.timer("short", 2000));
    rig.timer("long", 60_000);
    expect(rig.machine.waiting(rig.now)).toMatchObject({ dueAt: START + 60_000, waits: [{ key: "long" }] });
  });

  test("no more than twenty waits are told", () => {
    const rig = new MachineRig();
    for (let n = 0; n < 30; n++) rig.wait(`s${n}`);
    expect(rig.machine.waiting(rig.now)?.waits).toHaveLength(20);
  });

  test("while bodies execute, what waits beside them is due all the same", () => {
    const rig = new MachineRig();
    rig.begin(rig.step("a"));
    rig.timer("t", 5000);
    expect(rig.machine.nextDueAt(rig.now)).toBe(START + 5000);
  });
});

describe("running --return--> completed", () => {
  test("with the result, when every step that was asked for has settled (F87)", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.timer("forgotten", 60_000);
    rig.machine.returned('"done"');
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.begin(a);
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.deliver();
    expect(rig.machine.conclude(rig.now)).toEqual({ do: "end", status: "completed", result: '"done"' });
  });

  test("not while a withdrawn body executes (E5)", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.machine.withdraw(a);
    rig.machine.returned(undefined);
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.end(a, { how: "interrupted" });
    expect(rig.machine.conclude(rig.now)).toMatchObject({ do: "end", status: "completed" });
  });
});

describe("running --throw--> closing(failed)", () => {
  test("what the handler threw is the run's error", () => {
    const rig = new MachineRig();
    const error = new StepFailedError({ runId: "run-1", step: "a", attempts: 2 }, new Error("down"));
    rig.machine.failed(error, rig.now);
    const conclusion = rig.conclude();
    if (conclusion?.do !== "end" || conclusion.status === "completed") throw new Error("it did not fail");
    expect(values.errorFromText(conclusion.error ?? "", "", "error")).toMatchObject({
      code: "STEP_FAILED",
      cause: { message: "down" },
    });
  });

  test("a throw after the return changes nothing, nor a return after the throw", () => {
    const rig = new MachineRig();
    rig.machine.failed(new Error("no"), rig.now);
    rig.machine.returned("1");
    expect(rig.conclude()).toMatchObject({ status: "failed" });
  });
});

describe("running --timeout--> closing(failed)", () => {
  test("absolute, from the first claim", () => {
    const rig = new MachineRig({ run: { timeoutMs: 5000, startedAt: START - 4000, attempt: 3 } });
    rig.wait("s");
    expect(rig.machine.settleDue(START + 999)).toBe(false);
    expect(rig.machine.settleDue(START + 1000)).toBe(true);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
  });

  test("wins over nothing that was due before it was looked at, but over all that comes later", () => {
    const rig = new MachineRig({ run: { timeoutMs: 5000 } });
    rig.timer("t", 4000);
    rig.now = START + 5000;
    expect(rig.settle()).toEqual([]);
    expect(rig.machine.closing).toBe(true);
  });
});

describe("--cancel--> closing(canceled)", () => {
  test("is taken before anything else that is due, consuming its message", () => {
    const rig = new MachineRig({ messages: [cancel(1)] });
    rig.timer("t", 10);
    rig.settle();
    expect(rig.take()).toMatchObject({
      entries: [{ kind: "cancel" }],
      consume: [[1, 1]],
      phase: "closing",
    });
    const conclusion = rig.conclude();
    if (conclusion?.do !== "end" || conclusion.status === "completed") throw new Error("it was not canceled");
    expect(values.errorFromText(conclusion.error ?? "", "", "error")).toBeInstanceOf(RunCanceledError);
  });

  test("on replay the entry says it", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["cancel", "", { value: "{}" }]) });
    rig.step("a");
    expect(rig.deliver()).toEqual(["step a"]);
    expect(rig.conclude()).toMatchObject({ status: "canceled" });
  });

  test("a bug that the replay meets again does not get in its way, waiting or recorded", () => {
    const waiting = new MachineRig({ messages: [cancel(1)] });
    waiting.machine.failed(new TypeError("a bug"), waiting.now);
    expect(waiting.machine.stuck).toBeUndefined();
    waiting.settle();
    expect(waiting.conclude()).toMatchObject({ status: "canceled" });
    const recorded = new MachineRig({ journal: entries(["cancel", "", { value: "{}" }]) });
    recorded.machine.failed(new TypeError("a bug"), recorded.now);
    expect(recorded.conclude()).toMatchObject({ status: "canceled" });
  });

  test("{ compensate: false } needs no replay: it ends also a run whose code can't be replayed", () => {
    const rig = new MachineRig({
      journal: entries(["step", "gone"]),
      messages: [cancel(1, { compensate: false })],
    });
    expect(rig.machine.skipToCancel()).toBe(true);
    expect(rig.settle()).toEqual([]);
    expect(rig.conclude()).toMatchObject({ status: "canceled" });
  });

  test("one that undoes, or a run that is being undone already, is replayed", () => {
    expect(new MachineRig({ messages: [cancel(1)] }).machine.skipToCancel()).toBe(false);
    const run = { phase: "compensating" } as const;
    expect(new MachineRig({ run, messages: [cancel(1, { compensate: false })] }).machine.skipToCancel()).toBe(
      false,
    );
    expect(new MachineRig().machine.skipToCancel()).toBe(false);
  });
});

describe("--> stuck", () => {
  test.each([new TypeError("bug"), new ReferenceError("bug"), new RangeError("bug"), new SyntaxError("bug")])(
    "a bug: the handler threw %s",
    (bug) => {
      const rig = new MachineRig();
      rig.undo("u");
      rig.machine.failed(bug, rig.now);
      expect(rig.conclude()).toMatchObject({ do: "stick", stuck: { code: "BUG" } });
      expect(rig.machine.closing).toBe(false);
    },
  );

  test("not before its bodies are over", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.machine.stick("BUG", "a bug", rig.now);
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.machine.conclude(rig.now)).toMatchObject({ do: "stick" });
    expect(rig.queued()).toEqual(["step a"]);
  });
});

test("the status that people see is derived from what is stored", () => {
  const stuck = { code: "BUG", message: "", at: 0 };
  const status = (changes: Parameters<typeof runRecord>[0]): string => statusOf(runRecord(changes), START);
  expect(status({})).toBe("running");
  expect(status({ owner: null, dueAt: START })).toBe("ready");
  expect(status({ owner: null, dueAt: START + 1 })).toBe("waiting");
  expect(status({ owner: null, dueAt: null })).toBe("waiting");
  for (const phase of ["closing", "compensating"] as const) {
    expect(status({ phase })).toBe("compensating");
    expect(status({ phase, owner: null })).toBe("compensating");
    expect(status({ phase, owner: null, stuck })).toBe("stuck");
  }
  expect(status({ owner: null, stuck })).toBe("stuck");
  for (const end of ["completed", "failed", "canceled"] as const)
    expect(status({ phase: "done", end, owner: null })).toBe(end);
});
