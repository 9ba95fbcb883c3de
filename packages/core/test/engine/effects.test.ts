/** The replay rule: Effects. What may begin, and when (E2). */
import { describe, expect, test } from "vitest";
import { cancel, entries, failed, MachineRig, START } from "../support/machine-rig.ts";

describe("a body begins only when", () => {
  test("(a) nothing journaled is undelivered", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"]) });
    rig.step("a");
    rig.step("b");
    expect(rig.begins()).toEqual([]);
    rig.deliver();
    expect(rig.begins()).toEqual(["b"]);
  });

  test("(a) also what was queued a moment ago", () => {
    const rig = new MachineRig();
    const [a, b] = [rig.step("a"), rig.step("b", { retry: { initialDelay: 10 } })];
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    rig.machine.journal.markDurable(1);
    expect([b.state, rig.begins()]).toEqual(["open", []]);
  });

  test("(b) everything delivered before it is durable", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    rig.deliver({ a: () => void rig.step("b") });
    expect(rig.begins()).toEqual([]);
    rig.take();
    expect(rig.begins()).toEqual([]);
    rig.machine.journal.markDurable(1);
    expect(rig.begins()).toEqual(["b"]);
  });

  test("(d) no cancel is queued", () => {
    const rig = new MachineRig({ messages: [cancel(1)] });
    rig.step("a");
    rig.settle();
    rig.write();
    expect(rig.begins()).toEqual([]);
  });

  test("(d) the handler has not failed", () => {
    const rig = new MachineRig();
    rig.step("a");
    rig.machine.failed(new Error("no"), rig.now);
    expect(rig.begins()).toEqual([]);
    expect(rig.machine.queueStarts(rig.now)).toBe(false);
  });

  test("the run is not stuck", () => {
    const rig = new MachineRig();
    rig.step("a");
    rig.machine.stick("BUG", "a bug", rig.now);
    expect(rig.begins()).toEqual([]);
  });

  test("it does not execute already", () => {
    const rig = new MachineRig();
    const [a] = [rig.step("a"), rig.step("b")];
    rig.begin(a);
    expect(rig.begins()).toEqual(["b"]);
  });

  test("its step has not settled, and was not withdrawn", () => {
    const rig = new MachineRig();
    const [a, b] = [rig.step("a"), rig.step("b")];
    rig.step("c");
    rig.complete(a);
    rig.machine.withdraw(b);
    expect(rig.begins()).toEqual(["c"]);
  });

  test("its next attempt is due", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { retry: { initialDelay: 1000 } });
    rig.begin(a);
    rig.end(a, failed("again", { random: 0.5 }));
    rig.write();
    expect(rig.begins()).toEqual([]);
    expect(rig.machine.nextDueAt(rig.now)).toBe(rig.now + 500);
    rig.now += 499;
    expect(rig.begins()).toEqual([]);
    rig.now += 1;
    expect(rig.begins()).toEqual(["a"]);
  });
});

describe("started", () => {
  test.each([{ compensate: true }, { inDoubt: true }] as const)(
    "is durable before the body of a step with %j",
    (wish) => {
      const rig = new MachineRig();
      rig.step("a", wish);
      expect(rig.begins()).toEqual([]);
      expect(rig.machine.queueStarts(rig.now)).toBe(true);
      rig.deliver();
      expect(rig.begins()).toEqual([]);
      expect(rig.queued()).toEqual(["started a"]);
      expect(rig.begins()).toEqual(["a"]);
      expect(rig.machine.queueStarts(rig.now)).toBe(false);
    },
  );

  test("is not written for a plain step", () => {
    const rig = new MachineRig();
    rig.step("a");
    expect(rig.machine.queueStarts(rig.now)).toBe(false);
    expect(rig.begins()).toEqual(["a"]);
  });

  test("rides in the commit of the step before", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    rig.deliver({ a: () => void rig.step("b", { compensate: true }) });
    rig.machine.queueStarts(rig.now);
    expect(rig.queued()).toEqual(["step a", "started b"]);
  });

  test("is written once, whatever attempts follow", () => {
    const rig = new MachineRig({ journal: entries(["started", "a"]) });
    rig.step("a", { compensate: true });
    rig.deliver();
    expect(rig.machine.queueStarts(rig.now)).toBe(false);
    expect(rig.begins()).toEqual(["a"]);
  });

  test("is not queued while anything is undelivered", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"]) });
    rig.step("a");
    rig.step("b", { compensate: true });
    expect(rig.machine.queueStarts(rig.now)).toBe(false);
  });
});

test("the run's end rides in the commit of its last step", () => {
  const rig = new MachineRig();
  const a = rig.step("a");
  rig.begin(a);
  rig.end(a, { how: "completed", text: "1" });
  rig.deliver({ a: () => rig.machine.returned("2") });
  expect(rig.machine.conclude(rig.now)).toEqual({ do: "end", status: "completed", result: "2" });
  expect(rig.take().entries.map(({ kind }) => kind)).toEqual(["step", "end"]);
});

describe("Not journaled", () => {
  test("asks", () => {
    const rig = new MachineRig();
    rig.step("a");
    rig.timer("t", 1000);
    rig.wait("s");
    rig.undo("u");
    expect(rig.queued()).toEqual([]);
  });

  test("failed attempts: they update one mutable row of the step", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { retry: { initialDelay: 100 } });
    rig.begin(a);
    rig.end(a, failed("once"));
    const first = rig.write();
    expect(first).toMatchObject({ entries: [], retries: [{ key: "a", failures: 1, inDoubt: false }] });
    rig.now += 100;
    rig.machine.bodies.begin(a, rig.now);
    rig.end(a, failed("twice"));
    expect(rig.write()).toMatchObject({ entries: [], retries: [{ key: "a", failures: 2 }] });
    rig.now += 200;
    rig.machine.bodies.begin(a, rig.now);
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.take()).toMatchObject({ entries: [{ kind: "step", key: "a" }], settled: ["a"] });
  });

  test("a step that settles at its first attempt has no row to forget", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.take()).not.toHaveProperty("settled");
  });
});

describe("what waits", () => {
  test("a timer is due at now() of its ask plus its duration: absolute, without a write", () => {
    const rig = new MachineRig({ journal: entries(["step", "a"]) });
    rig.step("a");
    const code = { a: () => void rig.timer("t", 5000) };
    rig.deliver(code);
    expect(rig.machine.nextDueAt(rig.now)).toBe(START + 10 + 5000);
    expect(rig.queued()).toEqual([]);
  });

  test("what is due settles earliest first, one at a time", () => {
    const rig = new MachineRig();
    rig.timer("late", 300);
    rig.timer("early", 100);
    rig.wait("middle", 200);
    expect(rig.settle()).toEqual(["timer early", "signal middle", "timer late"]);
  });

  test("F121: a signal that came before its wait's deadline wins over the timeout, however late both are looked at", () => {
    const at = (ms: number) =>
      ({ no: 1, type: "signal", id: "m", name: "s", payload: "7", at: START + ms }) as const;
    const early = new MachineRig({ messages: [at(200)] });
    early.wait("s", 200);
    early.settle();
    expect(early.take().entries).toMatchObject([{ kind: "signal", value: "7" }]);
    const late = new MachineRig({ messages: [at(201)] });
    late.wait("s", 200);
    late.settle();
    const { entries: written } = late.take();
    expect(written).toMatchObject([{ kind: "signal", key: "s" }]);
    expect(written[0]?.error).toContain("SIGNAL_TIMEOUT");
  });

  test("a message is consumed by the entry that it settles, in the same write", () => {
    const rig = new MachineRig({
      messages: [
        { no: 1, type: "signal", id: "a", name: "other", payload: "1", at: START },
        { no: 2, type: "signal", id: "b", name: "s", payload: "2", at: START },
      ],
    });
    rig.wait("s");
    rig.settle();
    expect(rig.take()).toMatchObject({ entries: [{ seq: 1, value: "2" }], consume: [[2, 1]] });
  });

  test("a signal that its wait no longer wants goes to the next wait, and its message is not consumed twice", () => {
    const rig = new MachineRig({
      messages: [{ no: 1, type: "signal", id: "a", name: "s", payload: '"x"', at: START }],
    });
    const first = rig.wait("s");
    expect(rig.machine.settleDue(rig.now)).toBe(true);
    rig.machine.withdraw(first);
    rig.deliver();
    expect(rig.take().consume).toEqual([[1, 1]]);
    rig.wait("s");
    expect(rig.settle()).toEqual(["signal s#2"]);
    const write = rig.take();
    expect(write.entries).toMatchObject([{ kind: "signal", key: "s#2", value: '"x"' }]);
    expect(write).not.toHaveProperty("consume");
  });

  test("a signal that is given back is taken before those that came later", () => {
    const message = (no: number) =>
      ({ no, type: "signal", id: `${no}`, name: "s", payload: `${no}`, at: START }) as const;
    const rig = new MachineRig({ messages: [message(1), message(2)] });
    const first = rig.wait("s");
    rig.machine.settleDue(rig.now);
    rig.machine.withdraw(first);
    rig.deliver();
    rig.take();
    rig.wait("s");
    rig.wait("s");
    rig.settle();
    expect(rig.take().entries).toMatchObject([{ value: "1" }, { value: "2" }]);
  });

  test("a pivot settles at once", () => {
    const rig = new MachineRig();
    rig.pivot("p");
    expect(rig.settle()).toEqual(["pivot p"]);
  });
});
