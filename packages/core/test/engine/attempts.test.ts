/** What the end of one attempt of a body means: outcomes, retries, doubts. */
import { describe, expect, test } from "vitest";
import { FatalError } from "../../src/index.ts";
import { entries, failed, MachineRig, START, values } from "../support/machine-rig.ts";

describe("completed", () => {
  test("is journaled with its text; without one for undefined", () => {
    const rig = new MachineRig();
    const [a, b] = [rig.step("a"), rig.step("b")];
    rig.begin(a);
    rig.begin(b);
    rig.end(a, { how: "completed", text: "[1]" });
    rig.end(b, { how: "completed", text: undefined });
    const [first, second] = rig.take().entries;
    expect(first).toMatchObject({ kind: "step", key: "a", value: "[1]" });
    expect(second?.value).toBeUndefined();
  });
});

describe("failed", () => {
  test("transiently: its row says how often, since when, what failed last, and when it is tried again", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { retry: { initialDelay: 1000 } });
    rig.begin(a);
    const firstAt = rig.now;
    rig.now += 70;
    rig.end(a, failed("down", { random: 0.25 }));
    const [row] = rig.write().retries ?? [];
    expect(row).toMatchObject({ key: "a", failures: 1, firstAt, nextAt: rig.now + 250, inDoubt: false });
    expect(values.errorFromText(row?.error ?? "", "a", "error").message).toBe("down");
  });

  test("for good: journaled as StepFailedError with the number of attempts and the cause", () => {
    const rig = new MachineRig({
      retries: [{ key: "a", failures: 2, firstAt: START, nextAt: START, inDoubt: false }],
    });
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, failed("no", { fatal: true, error: new FatalError("no", { code: "declined" }) }));
    const write = rig.take();
    expect(write).toMatchObject({ entries: [{ kind: "step", key: "a" }], settled: ["a"] });
    expect(values.errorFromText(write.entries[0]?.error ?? "", "a", "error")).toMatchObject({
      code: "STEP_FAILED",
      attempts: 3,
      cause: { code: "declined" },
    });
  });

  test("exhausted: rejects, or sticks the run and leaves its row for a person", () => {
    const throwing = new MachineRig();
    const a = throwing.step("a", { retry: { maxAttempts: 1 } });
    throwing.begin(a);
    throwing.end(a, failed("down"));
    expect(throwing.deliver()).toEqual(["step a"]);
    const sticking = new MachineRig();
    const b = sticking.step("b", { retry: { maxAttempts: 1, onExhausted: "stick" } });
    sticking.begin(b);
    sticking.end(b, failed("down"));
    expect(sticking.machine.stuck).toMatchObject({ code: "EXHAUSTED", key: "b" });
    expect(sticking.machine.stuck?.message).toContain("down");
    expect(sticking.take()).toMatchObject({
      entries: [],
      retries: [{ key: "b", failures: 1, nextAt: null }],
    });
  });

  test("after `notBefore` only", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, failed("busy", { notBefore: rig.now + 60_000, random: 0 }));
    rig.write();
    expect(rig.machine.nextDueAt(rig.now)).toBe(rig.now + 60_000);
  });

  test("timed out: nobody knows whether its effect happened", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { inDoubt: true });
    rig.begin(a);
    rig.end(a, failed("too slow", { timedOut: true, random: 0 }));
    expect(rig.take().retries).toMatchObject([{ failures: 1, inDoubt: true }]);
    expect(rig.machine.bodies.inDoubt(a)).toBe(true);
  });

  test("a failure that a body reports clears the doubt", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { inDoubt: true });
    rig.begin(a);
    rig.end(a, failed("too slow", { timedOut: true, random: 0 }));
    rig.write();
    rig.machine.bodies.begin(a, rig.now);
    rig.end(a, failed("refused", { random: 0 }));
    expect(rig.machine.bodies.inDoubt(a)).toBe(false);
  });
});

describe("interrupted", () => {
  test("counts as no attempt, and leaves a plain step without a row", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, { how: "interrupted" });
    expect(rig.take()).not.toHaveProperty("retries");
    expect(rig.begins()).toEqual(["a"]);
  });

  test("leaves a step with a started entry in doubt", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { compensate: true });
    rig.begin(a);
    rig.end(a, { how: "interrupted" });
    expect(rig.take().retries).toMatchObject([{ key: "a", failures: 0, inDoubt: true }]);
  });
});

describe("a look-up", () => {
  const doubtful = (): { rig: MachineRig; ask: ReturnType<MachineRig["step"]> } => {
    const rig = new MachineRig({
      journal: entries(["started", "a"]),
      retries: [{ key: "a", failures: 3, firstAt: START, nextAt: START, inDoubt: true }],
    });
    const ask = rig.step("a", { inDoubt: true, retry: { maxAttempts: 4 } });
    rig.deliver();
    expect([rig.begins(), rig.machine.bodies.inDoubt(ask)]).toEqual([["a"], true]);
    rig.machine.bodies.begin(ask, rig.now);
    return { rig, ask };
  };

  test('"rerun": the body is due at once, no longer in doubt, with its failures kept', () => {
    const { rig, ask } = doubtful();
    rig.end(ask, { how: "rerun" });
    expect(rig.write().retries).toMatchObject([{ failures: 3, inDoubt: false, nextAt: rig.now }]);
    expect(rig.begins()).toEqual(["a"]);
    expect(rig.machine.bodies.inDoubt(ask)).toBe(false);
  });

  test('"stick": the run is stuck, the step stays in doubt until a person resumes', () => {
    const { rig, ask } = doubtful();
    rig.end(ask, { how: "stick" });
    expect(rig.machine.stuck).toMatchObject({ code: "IN_DOUBT", key: "a" });
    expect(rig.take().retries).toMatchObject([{ inDoubt: true, nextAt: null }]);
  });

  test("that fails is tried again later, without end, and uses up no attempt of the body", () => {
    const { rig, ask } = doubtful();
    for (let failures = 1; failures <= 20; failures++) {
      rig.end(ask, failed("the bank is down", { lookUp: true, random: 1 }));
      const [row] = rig.write().retries ?? [];
      expect(row).toMatchObject({ failures: 3, inDoubt: true });
      expect((row?.nextAt ?? 0) - rig.now).toBe(Math.min(60_000, 500 * 2 ** (failures - 1)));
      rig.now = row?.nextAt ?? 0;
      expect(rig.begins()).toEqual(["a"]);
      rig.machine.bodies.begin(ask, rig.now);
    }
  });

  test("that finds the result settles the step", () => {
    const { rig, ask } = doubtful();
    rig.end(ask, { how: "completed", text: '"found"' });
    expect(rig.deliver()).toEqual(["step a"]);
    expect(rig.take().settled).toEqual(["a"]);
  });
});

describe("after a worker's death", () => {
  const journal = entries(["started", "open"], ["started", "done"], ["step", "done"], ["step", "plain"]);

  test("steps that started and have not settled are in doubt: durably, before the run can be let go", () => {
    const rig = new MachineRig({ journal, run: { interrupted: true } });
    expect(rig.take().retries).toEqual([
      { key: "open", failures: 0, firstAt: START + 10, nextAt: START + 10, inDoubt: true },
    ]);
    expect(rig.step("open", { inDoubt: true }).retry?.inDoubt).toBe(true);
  });

  test("what their failed attempts left behind is kept", () => {
    const row = {
      key: "open",
      failures: 2,
      firstAt: START,
      nextAt: START + 60_000,
      error: "{}",
      inDoubt: false,
    };
    const rig = new MachineRig({ journal, run: { interrupted: true }, retries: [row] });
    expect(rig.take().retries).toEqual([{ ...row, inDoubt: true }]);
  });

  test("without a death nothing is in doubt", () => {
    const rig = new MachineRig({ journal });
    expect(rig.take()).not.toHaveProperty("retries");
    expect(rig.machine.bodies.inDoubt(rig.step("open", { inDoubt: true }))).toBe(false);
  });

  test("a step without inDoubt is simply run again", () => {
    const rig = new MachineRig({ journal: entries(["started", "a"]), run: { interrupted: true } });
    const a = rig.step("a", { compensate: true });
    rig.deliver();
    rig.write();
    expect([rig.begins(), rig.machine.bodies.inDoubt(a)]).toEqual([["a"], false]);
  });

  test("what is not durable is in doubt when the store refuses the rest", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { compensate: true });
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    rig.take();
    expect(rig.machine.doubts()).toMatchObject([{ key: "a", inDoubt: true }]);
    rig.machine.journal.markDurable(2);
    expect(rig.machine.doubts()).toEqual([]);
  });
});

describe("a person who resumes a run", () => {
  const row = (nextAt: number) => ({ key: "a", failures: 0, firstAt: nextAt, nextAt, inDoubt: true });
  const resumed = (nextAt: number, interrupted = false): boolean => {
    const rig = new MachineRig({
      journal: entries(["started", "a"], ["resume", "", { at: START + 500 }]),
      run: { interrupted },
      retries: [row(nextAt)],
    });
    return rig.machine.bodies.decided(rig.step("a", { inDoubt: true }));
  };

  test("has decided about the step for which it was stuck, and about no other", () => {
    expect(resumed(START + 500)).toBe(true);
    expect(resumed(START + 10)).toBe(false);
  });

  test("has decided nothing about what a worker did since that died", () => {
    expect(resumed(START + 500, true)).toBe(false);
  });

  test("has decided once: later entries make it history", () => {
    const rig = new MachineRig({
      journal: entries(["started", "a"], ["resume", "", { at: START + 500 }], ["step", "b"]),
      retries: [row(START + 500)],
    });
    expect(rig.machine.bodies.decided(rig.step("a", { inDoubt: true }))).toBe(false);
  });
});

describe("a withdrawn step", () => {
  test("that fails is not tried again; one that completes is recorded", () => {
    const rig = new MachineRig();
    const [a, b] = [rig.step("a"), rig.step("b")];
    rig.begin(a);
    rig.begin(b);
    rig.machine.withdraw(a);
    rig.machine.withdraw(b);
    rig.end(a, failed("again"));
    rig.end(b, { how: "completed", text: "1" });
    expect(rig.deliver()).toEqual([]);
    const write = rig.write();
    expect(write.entries).toMatchObject([{ kind: "step", key: "b" }]);
    expect(write).not.toHaveProperty("retries");
    rig.now += 60_000;
    expect(rig.begins()).toEqual([]);
  });

  test("is withdrawn once, and not after it settled", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.complete(a);
    rig.machine.withdraw(a);
    expect(a.state).toBe("settled");
  });
});

test("a transaction's entry is durable when it is appended, and continues the journal", () => {
  const rig = new MachineRig();
  const a = rig.step("a");
  rig.machine.bodies.begin(a, rig.now);
  const entry = rig.machine.journal.draftNext({ kind: "step", key: "a", value: "1" }, rig.now);
  expect(entry).toMatchObject({ seq: 1, at: rig.now });
  rig.machine.stepTransacted(a, entry);
  expect(rig.machine.journal.allDurable).toBe(true);
  expect(rig.machine.bodies.executing).toBe(0);
  expect(rig.deliver()).toEqual(["step a"]);
  expect(rig.take().entries).toEqual([]);
});
