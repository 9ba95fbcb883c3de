/** The replay rule: Undo. A run that fails or is canceled closes, awaits its bodies, and undoes (E4, E6). */
import { describe, expect, test } from "vitest";
import { FatalError } from "../../src/index.ts";
import { cancel, entries, failed, MachineRig, START, values } from "../support/machine-rig.ts";

const decline = (rig: MachineRig): void => rig.machine.failed(new Error("declined"), rig.now);

/** Keys of the unwinding entry. */
function keysOf(rig: MachineRig): readonly string[] {
  rig.conclude();
  return rig.undoKeys;
}

describe("the run closes", () => {
  test("E4: no new asks are served", () => {
    const rig = new MachineRig();
    decline(rig);
    for (const kind of ["step", "timer", "signal", "pivot", "undo"] as const)
      expect(rig.tryAsk({ kind, name: kind })).toBeUndefined();
    expect(rig.machine).toMatchObject({ closed: true, closing: true, handlerEnded: true });
  });

  test("E4: what is registered after the close is not undone", () => {
    const rig = new MachineRig();
    rig.undo("before");
    decline(rig);
    rig.tryAsk({ kind: "undo", name: "after", compensates: true });
    expect(keysOf(rig)).toEqual(["before"]);
  });

  test("F115: a cancel behind a pivot waits until what the code sends out there is in the same commit", () => {
    const rig = new MachineRig();
    const emitted = {
      name: "shipped",
      id: "e",
      payload: "1",
      codecId: "e",
      payloadHash: "h",
      runPrefix: "p",
    };
    rig.pivot("p");
    rig.machine.settleDue(rig.now);
    rig.deliver({
      p: () => {
        rig.machine.addMessages([cancel(1)], 1, rig.now);
        const send = ({ seq }: { readonly seq: number }) =>
          ({ value: "e", send: { kind: "emit", seq, event: emitted } }) as const;
        rig.ask({ kind: "emit", name: "shipped", send });
      },
    });
    while (rig.machine.settleDue(rig.now)) rig.next();
    const { entries: queued, sends } = rig.take();
    expect(queued.map(({ kind }) => kind)).toEqual(["pivot", "emit"]);
    expect(sends).toMatchObject([{ kind: "emit" }]);
    rig.machine.journal.markDurable(2);
    rig.settle();
    expect(rig.queued()).toEqual(["cancel"]);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "canceled" });
  });

  test("no step starts any more", () => {
    const rig = new MachineRig();
    rig.step("a", { compensate: true });
    decline(rig);
    expect(rig.machine.queueStarts(rig.now)).toBe(false);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
  });

  test("nothing that is due settles any more", () => {
    const rig = new MachineRig();
    rig.timer("t", 10);
    decline(rig);
    expect(rig.machine.settleDue(rig.now)).toBe(false);
  });

  test("bodies are awaited, their outcomes journaled, before the unwinding entry", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { compensate: true });
    rig.begin(a);
    decline(rig);
    expect(rig.machine.conclude(rig.now)).toBeUndefined();
    rig.end(a, { how: "completed", text: "1" });
    rig.deliver();
    expect(rig.machine.conclude(rig.now)).toBe("queued");
    expect(rig.queued()).toEqual(["step a", "unwinding failed"]);
  });

  test("an outcome that comes after the close is recorded but delivered to nobody", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    decline(rig);
    rig.end(a, { how: "completed", text: "1" });
    expect(rig.deliver()).toEqual([]);
    expect(a.result).toEqual({ text: "1" });
  });

  test("a body that fails after the close is not tried again", () => {
    const rig = new MachineRig();
    const a = rig.step("a");
    rig.begin(a);
    decline(rig);
    rig.end(a, failed("again"));
    expect(rig.take()).not.toHaveProperty("retries");
    rig.now += 60_000;
    expect(rig.begins()).toEqual([]);
  });

  test("it is shown as closing while bodies execute, from a throw as from a cancel", () => {
    const failing = new MachineRig();
    failing.begin(failing.step("a"));
    decline(failing);
    expect(failing.take().phase).toBe("closing");
    const canceled = new MachineRig({ messages: [cancel(1)] });
    canceled.step("a");
    canceled.machine.settleDue(canceled.now);
    expect(canceled.take().phase).toBe("closing");
  });

  test("the first cause counts", () => {
    const rig = new MachineRig({ messages: [cancel(1)] });
    decline(rig);
    expect(rig.machine.settleDue(rig.now)).toBe(true);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
    expect(rig.queued()).toEqual(["cancel", "end failed"]);
  });
});

describe("the unwinding entry", () => {
  test("names what completed or may have happened, in reverse order of start", () => {
    const rig = new MachineRig();
    rig.complete(rig.step("a", { compensate: true }));
    rig.undo("u");
    rig.complete(rig.step("plain"));
    const b = rig.step("b", { compensate: true });
    rig.begin(b);
    rig.end(b, { how: "interrupted" });
    decline(rig);
    expect(keysOf(rig)).toEqual(["b", "u", "a"]);
  });

  test("names no step that never started", () => {
    const rig = new MachineRig();
    rig.step("never", { compensate: true });
    decline(rig);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
  });

  test("names a step that failed for good, unless it says `happened: false`", () => {
    const rig = new MachineRig();
    const [a, b] = [rig.step("a", { compensate: true }), rig.step("b", { compensate: true })];
    rig.begin(a);
    rig.begin(b);
    const fatal = (happened?: false) =>
      failed("no", { fatal: true, error: new FatalError("no", happened === undefined ? {} : { happened }) });
    rig.end(a, fatal());
    rig.end(b, fatal(false));
    rig.deliver();
    decline(rig);
    expect(keysOf(rig)).toEqual(["a"]);
  });

  test("names a withdrawn step that may have happened", () => {
    const rig = new MachineRig();
    const a = rig.step("a", { compensate: true });
    rig.begin(a);
    rig.machine.withdraw(a);
    rig.end(a, { how: "interrupted" });
    decline(rig);
    expect(keysOf(rig)).toEqual(["a"]);
  });

  test("names nothing that was asked for before the last pivot", () => {
    const rig = new MachineRig();
    rig.undo("before");
    rig.pivot("p");
    rig.settle();
    rig.undo("between");
    rig.pivot("p2");
    rig.settle();
    rig.undo("after");
    decline(rig);
    expect(keysOf(rig)).toEqual(["after"]);
  });

  test("a pivot that was not reached protects nothing", () => {
    const rig = new MachineRig();
    rig.undo("before");
    rig.pivot("p");
    decline(rig);
    expect(keysOf(rig)).toEqual(["before"]);
  });

  test("is not written when nothing is to be undone: the run ends in the same commit", () => {
    const rig = new MachineRig();
    decline(rig);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
    expect(rig.queued()).toEqual(["end failed"]);
  });

  test("is not written when a cancel says { compensate: false }", () => {
    const rig = new MachineRig({ messages: [cancel(1, { compensate: false })] });
    rig.undo("u");
    rig.settle();
    expect(rig.conclude()).toMatchObject({ do: "end", status: "canceled" });
    expect(rig.queued()).toEqual(["cancel", "end canceled"]);
  });

  test("sets the phase", () => {
    const rig = new MachineRig();
    rig.undo("u");
    decline(rig);
    rig.machine.conclude(rig.now);
    expect(rig.take()).toMatchObject({
      phase: "compensating",
      entries: [{ kind: "unwinding", key: "failed" }],
    });
  });
});

/** A run with undos a, b, c that has failed. */
function unwinding(retries: Parameters<typeof MachineRig.prototype.undo>[1][] = []): MachineRig {
  const rig = new MachineRig();
  for (const [index, name] of ["a", "b", "c"].entries()) rig.undo(name, retries[index]);
  decline(rig);
  rig.conclude();
  return rig;
}

describe("undoing", () => {
  test("runs one by one in reverse order, none before the entry is durable", () => {
    const rig = new MachineRig();
    rig.undo("a");
    rig.undo("b");
    decline(rig);
    expect(rig.machine.conclude(rig.now)).toBe("queued");
    rig.deliver();
    expect(rig.begins()).toEqual([]);
    rig.write();
    expect(rig.begins()).toEqual(["undo b"]);
    expect([rig.undoNext(), rig.undoNext()]).toEqual(["b", "a"]);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
  });

  test("one at a time: the next waits for the one that executes, and for its entry to be durable", () => {
    const rig = unwinding();
    rig.machine.undos.began();
    expect(rig.begins()).toEqual([]);
    rig.machine.undos.completed("c", rig.now);
    rig.deliver();
    expect(rig.begins()).toEqual([]);
    rig.write();
    expect(rig.begins()).toEqual(["undo b"]);
  });

  test("an undo that fails is tried again, and those before it wait", () => {
    const rig = unwinding();
    const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
    rig.machine.undos.began();
    rig.machine.undos.failed(undo, failed("down", { random: 0.9 }), rig.now);
    expect(rig.write().retries).toMatchObject([{ key: "c#undo", failures: 1 }]);
    expect(rig.begins()).toEqual([]);
    expect(rig.machine.waiting(rig.now)).toMatchObject({ waits: [{ kind: "retry", key: "c" }] });
    rig.now += 500;
    expect(rig.begins()).toEqual(["undo c"]);
  });

  test("an interruption counts as no attempt", () => {
    const rig = unwinding();
    const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
    rig.machine.undos.began();
    rig.machine.undos.failed(undo, { how: "interrupted" }, rig.now);
    expect(rig.machine.undos.rowOf("c")).toBeUndefined();
    expect(rig.begins()).toEqual(["undo c"]);
  });

  test("E6: one that can't succeed leaves the run stuck, after all others", () => {
    const rig = unwinding();
    const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
    rig.machine.undos.began();
    rig.machine.undos.failed(undo, failed("never", { fatal: true }), rig.now);
    rig.write();
    expect([rig.undoNext(), rig.undoNext()]).toEqual(["b", "a"]);
    const conclusion = rig.conclude();
    expect(conclusion).toMatchObject({ do: "stick", stuck: { code: "UNDO_FAILED" } });
    expect(conclusion?.do === "stick" && conclusion.stuck.message).toContain("c (never)");
  });

  test("a bare compensation that used up its policy can't succeed; a step's is tried without end", () => {
    const rig = unwinding([undefined, undefined, { maxAttempts: 1 }]);
    const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
    rig.machine.undos.began();
    rig.machine.undos.failed(undo, failed("down"), rig.now);
    rig.write();
    expect(rig.begins()).toEqual(["undo b"]);
  });

  test("a step's undo is tried without end, though the step itself was not", () => {
    const rig = new MachineRig();
    rig.complete(rig.step("a", { compensate: true, retry: false }));
    decline(rig);
    rig.conclude();
    for (let attempt = 1; attempt <= 20; attempt++) {
      const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
      rig.machine.undos.began();
      rig.machine.undos.failed(undo, failed("down", { random: 0 }), rig.now);
      rig.write();
    }
    expect(rig.begins()).toEqual(["undo a"]);
  });

  test("when it has succeeded its row is forgotten", () => {
    const rig = unwinding();
    const undo = rig.machine.begins(rig.now).undo ?? rig.undo("missing");
    rig.machine.undos.began();
    rig.machine.undos.failed(undo, failed("down", { random: 0 }), rig.now);
    rig.write();
    rig.machine.undos.began();
    rig.machine.undos.completed("c", rig.now);
    expect(rig.write().settled).toEqual(["c#undo"]);
  });
});

describe("on replay", () => {
  const UNWINDING = JSON.stringify({
    cause: { status: "failed", error: '{"name":"Error","message":"declined"}', compensate: true },
    keys: ["c", "b", "a"],
  });
  const journal = entries(["unwinding", "failed", { value: UNWINDING }], ["undo", "c"]);

  test("what the entry says counts, and what is undone is skipped", () => {
    const rig = new MachineRig({ journal, run: { phase: "compensating" } });
    for (const name of ["a", "b", "c", "added later"]) rig.undo(name);
    rig.deliver();
    expect([rig.undoNext(), rig.undoNext()]).toEqual(["b", "a"]);
    expect(rig.conclude()).toMatchObject({ do: "end", status: "failed" });
  });

  test("an undo that the code no longer registers sticks that undo alone", () => {
    const rig = new MachineRig({ journal });
    rig.undo("a");
    rig.deliver();
    expect(rig.begins()).toEqual(["unregistered b"]);
    rig.machine.undos.unregistered("b");
    expect(rig.undoNext()).toBe("a");
    const conclusion = rig.conclude();
    expect(conclusion?.do === "stick" && conclusion.stuck.message).toContain("no longer registers");
  });

  test("a compensation that the code reaches only after the run closed is still wanted", () => {
    const rig = new MachineRig({ journal });
    rig.undo("a");
    rig.deliver();
    expect(rig.begins()).toEqual(["unregistered b"]);
    rig.tryAsk({ kind: "undo", name: "b", compensates: true }, false);
    expect(rig.begins()).toEqual(["undo b"]);
  });

  test("its failed attempts are not forgotten", () => {
    const row = { key: "b#undo", failures: 4, firstAt: START, nextAt: START + 5000, inDoubt: false };
    const rig = new MachineRig({ journal, retries: [row] });
    for (const name of ["a", "b", "c"]) rig.undo(name);
    rig.deliver();
    expect(rig.begins()).toEqual([]);
    expect(rig.machine.waiting(rig.now)).toMatchObject({ dueAt: START + 5000 });
  });

  test("one that needs a person is passed over until it is resumed", () => {
    const row = { key: "b#undo", failures: 4, firstAt: START, nextAt: null, inDoubt: false };
    const rig = new MachineRig({ journal, retries: [row] });
    for (const name of ["a", "b", "c"]) rig.undo(name);
    rig.deliver();
    expect(rig.undoNext()).toBe("a");
    const conclusion = rig.conclude();
    expect(conclusion).toMatchObject({ do: "stick", stuck: { code: "UNDO_FAILED" } });
    expect(conclusion?.do === "stick" && conclusion.stuck.message).toContain("b (failed 4 times)");
  });

  test("one that failed for good in another process is told of with what it said there", () => {
    const error = values.errorToText(new Error("the bank says no"), "b#undo");
    const row = { key: "b#undo", failures: 1, firstAt: START, nextAt: null, inDoubt: false, error };
    const rig = new MachineRig({ journal, retries: [row] });
    for (const name of ["a", "b", "c"]) rig.undo(name);
    rig.deliver();
    rig.undoNext();
    const conclusion = rig.conclude();
    expect(conclusion?.do === "stick" && conclusion.stuck.message).toContain("b (the bank says no)");
  });
});
