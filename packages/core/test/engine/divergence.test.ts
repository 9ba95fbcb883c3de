/** The replay rule: Divergence (E3). A journal that the code does not ask for stops the run before any effect. */
import { describe, expect, test } from "vitest";
import { type EntryText, entries, MachineRig } from "../support/machine-rig.ts";

function diverging(journal: readonly EntryText[], code: (rig: MachineRig) => void): MachineRig {
  const rig = new MachineRig({ journal: entries(...journal) });
  code(rig);
  return rig;
}

describe("the next settlement's ask is not open", () => {
  test("F78, F80: nobody asked for it: there is time for the code's own awaits", () => {
    const rig = diverging([["step", "a"]], (own) => void own.step("b"));
    expect(rig.next()).toBe("diverge step a");
    expect(rig.begins()).toEqual([]);
    rig.step("a", { inTurn: false });
    expect(rig.next()).toBe("deliver step a");
  });

  test("F79: it was asked for as another kind: waiting cannot help", () => {
    const rig = diverging([["step", "a"]], (own) => void own.timer("a", 1));
    expect(rig.next()).toBe("diverge step a for good");
  });

  test.each(["timer", "signal", "pivot", "step", "started"] as const)("a %s entry", (kind) => {
    const rig = diverging([[kind, "missing"]], (own) => void own.step("b"));
    expect(rig.next()).toBe(`diverge ${kind} missing`);
  });

  test("it has settled already", () => {
    const rig = diverging(
      [
        ["step", "a"],
        ["step", "a"],
      ],
      (own) => void own.step("a"),
    );
    expect(rig.next()).toBe("deliver step a");
    expect(rig.next()).toBe("diverge step a for good");
  });

  test("the handler returned", () => {
    const rig = diverging([["step", "a"]], (own) => own.machine.returned(undefined));
    expect(rig.next()).toBe("diverge step a for good");
  });

  test("the handler failed", () => {
    const rig = diverging([["step", "a"]], (own) => own.machine.failed(new Error("no"), own.now));
    expect(rig.next()).toBe("diverge step a for good");
  });

  test("an undo is no step, and a step is no undo", () => {
    const rig = diverging([["step", "a"]], (own) => void own.undo("a"));
    expect(rig.next()).toBe("diverge step a for good");
  });
});

test("it does not go past the entry: nothing after it is delivered, however often it is looked at", () => {
  const rig = diverging(
    [
      ["step", "a"],
      ["step", "b"],
    ],
    (own) => void own.step("b"),
  );
  expect([rig.next(), rig.next(), rig.next()]).toEqual(Array(3).fill("diverge step a"));
  expect(rig.machine.journal.undelivered).toBe(2);
});

test("then it is stuck: what was recorded against the open asks, and the remedies", () => {
  const rig = diverging([["step", "a"]], (own) => {
    own.step("b");
    own.timer("t", 1);
  });
  const next = rig.machine.next();
  if (next.do !== "diverge") throw new Error("it does not diverge");
  rig.machine.diverged(next.entry, rig.now);
  expect(rig.machine.stuck).toMatchObject({ code: "DIVERGED", key: "a", at: rig.now });
  const { message = "" } = rig.machine.stuck ?? {};
  for (const part of ["step a", "entry 1", "step b", "timer t", "`was`", "patched", "version", "resume"])
    expect(message).toContain(part);
  expect(rig.machine.conclude(rig.now)).toMatchObject({ do: "stick", stuck: { code: "DIVERGED" } });
  expect(rig.next()).toBe("quiet");
  expect(rig.begins()).toEqual([]);
});

test("the text names a few open asks, counts the others, and says when the code has ended", () => {
  const rig = diverging([["step", "missing"]], (own) => {
    for (let n = 0; n < 9; n++) own.step(`s${n}`);
    own.machine.returned(undefined);
  });
  const next = rig.machine.next();
  if (next.do === "diverge") rig.machine.diverged(next.entry, rig.now);
  expect(rig.machine.stuck?.message).toContain("s4 and 4 more");
  expect(rig.machine.stuck?.message).toContain("has ended");
});

test("a run that asks for nothing says so", () => {
  const rig = diverging([["step", "missing"]], () => {});
  const next = rig.machine.next();
  if (next.do === "diverge") rig.machine.diverged(next.entry, rig.now);
  expect(rig.machine.stuck?.message).toContain("asks for nothing");
});

test("steps may be added beyond what the run has reached", () => {
  const rig = diverging([["step", "a"]], (own) => void own.step("a"));
  expect(rig.deliver({ a: () => void rig.step("new") })).toEqual(["step a"]);
  expect(rig.begins()).toEqual(["new"]);
});

test("the first reason for being stuck counts", () => {
  const rig = new MachineRig();
  rig.machine.stick("BUG", "first", rig.now);
  rig.machine.stick("POISON", "second", rig.now);
  expect(rig.machine.stuck).toMatchObject({ code: "BUG", message: "first" });
});

test("a stuck run serves no new ask", () => {
  const rig = new MachineRig();
  rig.machine.stick("BUG", "a bug", rig.now);
  expect(rig.tryAsk({ kind: "step", name: "a" })).toBeUndefined();
});
