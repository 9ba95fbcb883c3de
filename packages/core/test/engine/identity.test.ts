/** The replay rule: Identity. An ask is (kind, key). */
import { expect, test } from "vitest";
import { entries, MachineRig, START } from "../support/machine-rig.ts";

test("Key = name", () => {
  expect(new MachineRig().step("charge").key).toBe("charge");
});

test("F81: Key = name#n for the nth ask of that name", () => {
  const rig = new MachineRig();
  expect([rig.step("a").key, rig.step("b").key, rig.step("a").key, rig.step("a").key]).toEqual([
    "a",
    "b",
    "a#2",
    "a#3",
  ]);
});

test("Key = name[key], in whatever order they are asked for", () => {
  const rig = new MachineRig();
  expect([rig.step("a", { key: "2" }).key, rig.step("a", { key: "1" }).key]).toEqual(["a[2]", "a[1]"]);
});

test("Timers, signals, pivots and undos are counted like steps", () => {
  const rig = new MachineRig();
  const keys = [
    rig.timer("t", 1),
    rig.timer("t", 1),
    rig.wait("s"),
    rig.wait("s"),
    rig.pivot("p"),
    rig.pivot("p"),
    rig.undo("u"),
    rig.undo("u"),
  ].map(({ key }) => key);
  expect(keys).toEqual(["t", "t#2", "s", "s#2", "p", "p#2", "u", "u#2"]);
});

test.each(["timer", "signal", "pivot", "undo"] as const)(
  "Kinds share one name space: a name used for a step and a %s is an error",
  (kind) => {
    const rig = new MachineRig();
    rig.step("both");
    expect(rig.tryAsk({ kind, name: "both" })).toBeUndefined();
    expect(rig.machine.stuck).toMatchObject({ code: "BUG" });
    expect(rig.machine.stuck?.message).toContain(`used for a step and for a ${kind}`);
  },
);

test("F81: Asked more than once, the last time outside a turn: key is required, else it sticks before the body", () => {
  const rig = new MachineRig();
  const first = rig.step("a");
  expect(rig.tryAsk({ kind: "step", name: "a" }, false)).toBeUndefined();
  expect(rig.machine.stuck?.message).toContain("`key`");
  expect(rig.begins()).toEqual([]);
  expect(first.state).toBe("open");
});

test("Asked more than once, the first time outside a turn: key is required as well", () => {
  const rig = new MachineRig();
  rig.step("a", { inTurn: false });
  expect(rig.tryAsk({ kind: "step", name: "a" }, true)).toBeUndefined();
  expect(rig.machine.stuck).toMatchObject({ code: "BUG" });
});

test("Outside a turn is fine for a name that is asked once, and with keys", () => {
  const rig = new MachineRig();
  rig.step("once", { inTurn: false });
  rig.step("keyed", { inTurn: false, key: "1" });
  rig.step("keyed", { inTurn: false, key: "2" });
  expect(rig.machine.stuck).toBeUndefined();
});

test("One key is asked for once", () => {
  const rig = new MachineRig();
  rig.step("a", { key: "1" });
  expect(rig.tryAsk({ kind: "step", name: "a", key: "1" })).toBeUndefined();
  expect(rig.machine.stuck?.message).toContain("asked for twice");
});

test("`was`: the key of an older name that the journal knows, else its own", () => {
  const rig = new MachineRig({ journal: entries(["step", "old", { value: "1" }]) });
  expect(rig.step("new", { was: ["older", "old"] }).key).toBe("old");
  expect(rig.step("other", { was: ["unknown"] }).key).toBe("other");
});

test("`was`: a journal that knows the own name wins over an older one", () => {
  const rig = new MachineRig({
    journal: entries(["step", "new", { value: "1" }], ["step", "old", { value: "2" }]),
  });
  expect(rig.step("new", { was: ["old"] }).key).toBe("new");
});

test("`was`: what a step only started, or only failed at, is known as well", () => {
  const rig = new MachineRig({
    journal: entries(["started", "begun"]),
    retries: [{ key: "tried", failures: 2, firstAt: START, nextAt: START, inDoubt: false }],
  });
  expect(rig.step("new", { was: ["begun"] }).key).toBe("begun");
  const tried = rig.step("newer", { was: ["tried"] });
  expect([tried.key, tried.retry?.failures]).toEqual(["tried", 2]);
});

test("`was` counts and keys like the own name", () => {
  const rig = new MachineRig({
    journal: entries(["step", "old", {}], ["step", "old#2", {}], ["step", "old[k]", {}]),
  });
  const keys = [
    rig.step("new", { was: ["old"] }),
    rig.step("new", { was: ["old"] }),
    rig.step("new", { was: ["old"], key: "k" }),
  ].map(({ key }) => key);
  expect(keys).toEqual(["old", "old#2", "old[k]"]);
});

test("The identity, of which the idempotency key is made, is that of the oldest name, journaled or not", () => {
  const rig = new MachineRig();
  expect(rig.step("new", { was: ["oldest", "older"] })).toMatchObject({ key: "new", identity: "oldest" });
  expect(rig.step("new", { was: ["oldest"] })).toMatchObject({ key: "new#2", identity: "oldest#2" });
  expect(rig.step("plain")).toMatchObject({ identity: "plain" });
});
