/** The replay rule: Order and Delivery. */
import { describe, expect, test } from "vitest";
import { entries, failed, MachineRig, signal, START } from "../support/machine-rig.ts";

describe("Order", () => {
  test("seq is given when a settlement is queued, gapless, after what was recorded", () => {
    const rig = new MachineRig({ journal: entries(["step", "a", { value: "1" }]) });
    rig.step("a");
    rig.deliver();
    const [b, c] = [rig.step("b"), rig.step("c")];
    rig.begin(b);
    rig.begin(c);
    rig.end(c, { how: "completed", text: "3" });
    rig.end(b, { how: "completed", text: "2" });
    expect(rig.take().entries.map(({ seq, key }) => [seq, key])).toEqual([
      [2, "c"],
      [3, "b"],
    ]);
  });

  test("E1: delivery order is seq order, whatever the order of the asks", () => {
    const rig = new MachineRig();
    const [a, b, c] = [rig.step("a"), rig.step("b"), rig.step("c")];
    for (const ask of [a, b, c]) rig.begin(ask);
    for (const ask of [c, a, b]) rig.end(ask, { how: "completed", text: "1" });
    expect(rig.deliver()).toEqual(["step c", "step a", "step b"]);
  });

  test("E1: a replay delivers in the same order", () => {
    const rig = new MachineRig({ journal: entries(["step", "c"], ["step", "a"], ["step", "b"]) });
    for (const name of ["a", "b", "c"]) rig.step(name);
    expect(rig.deliver()).toEqual(["step c", "step a", "step b"]);
  });

  test("`at` never decreases, though the clock goes back", () => {
    const rig = new MachineRig({ journal: entries(["step", "a", { at: START + 5000 }]) });
    rig.step("a");
    rig.deliver();
    rig.now = START + 1;
    rig.complete(rig.step("b"));
    rig.now = START + 9000;
    const c = rig.step("c");
    rig.begin(c);
    rig.end(c, { how: "completed", text: undefined });
    expect(rig.machine.nowMs).toBe(START + 5000);
    expect(rig.take().entries.map(({ at }) => at)).toEqual([START + 9000]);
  });

  test("a run's first entry is not earlier than its start", () => {
    const rig = new MachineRig();
    rig.now = START - 60_000;
    rig.pivot("p");
    rig.machine.settleDue(rig.now);
    expect(rig.take().entries[0]?.at).toBe(START);
  });
});

describe("Delivery", () => {
  test("one settlement at a time: the next one waits for the next turn", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["step", "b"]) });
    rig.step("a");
    rig.step("b");
    expect(rig.next()).toBe("deliver step a");
    expect(rig.machine.journal.undelivered).toBe(1);
    expect(rig.next()).toBe("deliver step b");
    expect(rig.next()).toBe("quiet");
  });

  test("what is delivered lets the code ask for more, which the journal goes on with", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["timer", "t"], ["signal", "s"]) });
    rig.step("a");
    const code = { a: () => void rig.timer("t", 1), t: () => void rig.wait("s") };
    expect(rig.deliver(code)).toEqual(["step a", "timer t", "signal s"]);
  });

  test("a `started` entry settles no promise", () => {
    const rig = new MachineRig({ journal: entries(["started", "a"], ["step", "a"]) });
    const a = rig.step("a", { compensate: true });
    expect(rig.next()).toBe("deliver step a");
    expect(a.started).toBe(true);
  });

  test("marks settle nothing and need nothing: patched, resume, end", () => {
    const rig = new MachineRig({
      journal: entries(["patched", "p"], ["resume", ""], ["step", "a"], ["end", "completed"]),
    });
    rig.step("a");
    expect(rig.deliver()).toEqual(["step a"]);
    expect(rig.machine.journal.undelivered).toBe(0);
  });

  test("settlements that nobody awaits any more are taken all the same", () => {
    const rig = new MachineRig({ journal: entries(["step", "winner"], ["step", "loser"], ["step", "next"]) });
    rig.step("winner");
    const loser = rig.step("loser");
    const code = {
      winner: () => {
        rig.machine.withdraw(loser);
        rig.step("next");
      },
    };
    expect(rig.deliver(code)).toEqual(["step winner", "step next"]);
    expect(loser).toMatchObject({ state: "withdrawn", result: { text: undefined } });
  });

  test("a settlement that was queued is delivered before it is durable", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.machine.journal.allDurable).toBe(false);
    expect(rig.next()).toBe("deliver step a");
  });

  test("a failure for good is delivered as an error, a transient one not at all", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, failed("again"));
    expect(rig.next()).toBe("quiet");
    rig.now += 10_000;
    rig.write();
    expect(rig.begins()).toEqual(["a"]);
    rig.machine.bodies.begin(a, rig.now);
    rig.end(a, failed("for good", { fatal: true }));
    const next = rig.machine.next();
    expect(next).toMatchObject({ do: "deliver", entry: { kind: "step", key: "a" } });
    expect(next.do === "deliver" && next.entry.error).toContain("STEP_FAILED");
  });
});

describe("now()", () => {
  test("is the start of the run, then the `at` of the last delivered entry", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["step", "b"]) });
    rig.step("a");
    rig.step("b");
    expect(rig.machine.nowMs).toBe(START);
    rig.next();
    expect(rig.machine.nowMs).toBe(START + 10);
    rig.next();
    expect(rig.machine.nowMs).toBe(START + 20);
  });

  test("does not move by itself", () => {
    const rig = new MachineRig();
    rig.now += 60_000;
    expect(rig.machine.nowMs).toBe(START);
  });
});

describe("replaying", () => {
  test("until everything that an earlier attempt recorded is delivered", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["step", "b"]) });
    const a = rig.step("a");
    rig.step("b");
    expect([rig.machine.replaying, a.state]).toEqual([true, "open"]);
    rig.next();
    expect(rig.machine.replaying).toBe(true);
    rig.next();
    expect(rig.machine.replaying).toBe(false);
  });

  test("a person's resume at the end is nothing to be replayed", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["resume", ""], ["resume", ""]) });
    rig.step("a");
    rig.next();
    expect(rig.machine.replaying).toBe(false);
  });

  test("a journal without entries is not replayed", () => {
    expect(new MachineRig().machine.replaying).toBe(false);
  });
});

describe("patched", () => {
  test("is decided once per run and change, and journaled when it is true", () => {
    const rig = new MachineRig();
    expect([rig.machine.patched("x", rig.now), rig.machine.patched("x", rig.now)]).toEqual([true, true]);
    expect(rig.queued()).toEqual(["patched x"]);
  });

  test("is true on every replay of a run that journaled it, also before its entry", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"], ["patched", "x"]) });
    expect(rig.machine.patched("x", rig.now)).toBe(true);
    expect(rig.queued()).toEqual([]);
  });

  test("is false, and stays false, in a run that passed it with the old code", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"]) });
    rig.step("a");
    expect(rig.machine.patched("x", rig.now)).toBe(false);
    rig.deliver();
    expect(rig.machine.patched("x", rig.now)).toBe(false);
    expect(rig.machine.patched("y", rig.now)).toBe(true);
  });

  test("is false in a closed run, which goes nowhere new", () => {
    const rig = new MachineRig();
    rig.machine.failed(new Error("no"), rig.now);
    expect(rig.machine.patched("x", rig.now)).toBe(false);
    expect(rig.queued()).toEqual([]);
  });
});

describe("messages", () => {
  test("what was seen before is ignored: late and repeated answers do no harm", () => {
    const rig = new MachineRig({ messages: [signal(1, "s", 1)] });
    rig.machine.addMessages([signal(1, "s", 1), signal(2, "s", 2)], 2, 2);
    rig.machine.addMessages([signal(1, "s", 1)], 1, 1);
    expect(rig.machine.inbox).toMatchObject({ seen: 2, lastNo: 2 });
    rig.wait("s");
    rig.wait("s");
    rig.wait("s");
    expect(rig.settle()).toEqual(["signal s", "signal s#2"]);
  });
});
