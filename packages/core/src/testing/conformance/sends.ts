/** What a run sends out happens with the entries that say so, or not at all (S11). */
import assert from "node:assert/strict";
import { type Cases, kinds } from "./bench.ts";
import {
  advance,
  cancel,
  end,
  entries,
  entry,
  EVENT,
  park,
  sendEvent,
  sendMessage,
  sendStart,
  signal,
  spec,
  start,
  stick,
  written,
} from "./writes.ts";

export const sends: Cases = {
  "S11: a child is started with the entry that says so, and knows its parent": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const started = entry(1, { kind: "start", key: "mail", value: '"a/mail"' });
    const child = sendStart(1, "a/mail", { key: "mail", input: "7", priority: 4, tags: { city: "Porto" } });
    assert.deepEqual(await worker.commit(advance(run, { entries: [started], sends: [child] })), [
      { is: "done" },
    ]);
    assert.deepEqual((await bench.read("a")).journal, [written(started)]);
    const { run: made, now } = await bench.read("a/mail");
    assert.deepEqual(made.parent, { runId: "a", key: "mail", called: false });
    assert.deepEqual([made.input, made.priority, { ...made.tags }], ["7", 4, { city: "Porto" }]);
    assert.ok(made.owner === null && made.dueAt !== null && made.dueAt <= now, "due now");
    assert.deepEqual(await worker.claimIds(), ["a/mail"]);
  },

  "S11: a child that is called says so": async (bench) => {
    const worker = await bench.join();
    const call = sendStart(1, "child", { key: "pay", awaited: true });
    await worker.commit(
      advance(await worker.bear("a"), { entries: [entry(1, { kind: "call" })], sends: [call] }),
    );
    assert.deepEqual((await bench.read("child")).run.parent, { runId: "a", key: "pay", called: true });
  },

  "S11: a child can be started by name, and later": async (bench) => {
    const worker = await bench.join({ workflows: [spec("order"), spec("mail", "3", { timeoutMs: 9 })] });
    const due = { inMs: 3_600_000 };
    const child = sendStart(1, "m", { workflow: "mail", version: null, priority: null, due, raw: true });
    await worker.commit(
      advance(await worker.bear("a"), { entries: [entry(1, { kind: "start" })], sends: [child] }),
    );
    const { run } = await bench.read("m");
    assert.deepEqual([run.version, run.timeoutMs, run.raw], ["3", 9, true]);
    assert.equal(await bench.statusOf("m"), "waiting");
  },

  "S3 S4 S11: what is fenced or out of place sends nothing": async (bench) => {
    const worker = await bench.join({ workflows: [spec("order"), spec("mail", "1", { on: EVENT })] });
    const run = await worker.bear("a");
    await bench.commit(start("b"));
    const sends = [sendStart(1, "c"), sendMessage(2, signal("b", "1")), sendEvent(3, "e")];
    const [fenced, refused] = await worker.commit(
      advance({ ...run, attempt: 0 }, { entries: entries(1, 3), sends }),
      advance(run, { entries: entries(2, 4), sends }),
    );
    assert.deepEqual([fenced?.is, refused?.is], ["fenced", "refused"]);
    assert.equal(await bench.store.count({}), 2);
    assert.equal((await bench.read("b")).run.inbox, 0);
    assert.deepEqual(await bench.store.events({ limit: 9 }), []);
  },

  "S11: an equal run that is there already is no refusal, and stays what it is": async (bench) => {
    const worker = await bench.join();
    const [run, other] = [await worker.bear("a"), await worker.bear("b")];
    const first = advance(run, { entries: [entry(1, { kind: "start" })], sends: [sendStart(1, "child")] });
    const second = advance(other, {
      entries: [entry(1, { kind: "start" })],
      sends: [sendStart(1, "child", { version: "2", priority: 5 })],
    });
    assert.deepEqual(await worker.commit(first, second), [{ is: "done" }, { is: "done" }]);
    const { run: child } = await bench.read("child");
    assert.deepEqual([child.parent?.runId, child.version, child.priority], ["a", "1", 0]);
  },

  "S11: what is refused becomes the error of its entry, and nothing else of the write is": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(start("taken", { workflow: "refund" }));
    const wrote = [entry(1, { kind: "start" }), entry(2), entry(3, { kind: "start" })];
    const sends = [sendStart(1, "taken"), sendStart(3, "free")];
    const reason = "conflict refund";
    assert.deepEqual(await worker.commit(advance(run, { entries: wrote, sends, tags: { city: "Faro" } })), [
      { is: "done", refused: [{ seq: 1, reason }] },
    ]);
    const { journal, run: sender } = await bench.read("a");
    assert.deepEqual(
      journal,
      wrote.map((one) => written(one.seq === 1 ? { ...one, error: reason } : one)),
    );
    assert.deepEqual({ ...sender.tags }, { city: "Faro" });
    assert.equal((await bench.read("free")).run.parent?.runId, "a");
    assert.equal((await bench.read("taken")).run.workflow, "refund");
  },

  "S7 S11: a message is sent with its entry; a seen id is no refusal": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(start("b"), signal("b", "seen", { payload: "1" }));
    const sends = [
      sendMessage(1, signal("b", "seen", { payload: "2" })),
      sendMessage(2, signal("b", "new", { name: "paid", payload: "3" })),
      sendMessage(3, cancel("b", "stop")),
    ];
    assert.deepEqual(await worker.commit(advance(run, { entries: entries(1, 3, "send"), sends })), [
      { is: "done" },
    ]);
    const { messages } = await bench.read("b");
    assert.deepEqual(
      messages.map(({ type, id, payload }) => [type, id, payload]),
      [
        ["signal", "seen", "1"],
        ["signal", "new", "3"],
        ["cancel", "stop", "null"],
      ],
    );
  },

  "S8 S11: a message to nobody, or to what has ended, is refused with the reason": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.bear("over");
    await worker.commit(advance({ runId: "over", attempt: 1 }, { then: end("failed") }));
    const sends = [
      sendMessage(1, signal("nobody", "1")),
      sendMessage(2, signal("over", "1")),
      sendMessage(null, cancel("over", "2")),
      sendMessage(null, cancel("nobody", "3")),
    ];
    const refused = [
      { seq: 1, reason: "not-found" },
      { seq: 2, reason: "ended failed" },
    ];
    assert.deepEqual(await worker.commit(advance(run, { entries: entries(1, 2, "send"), sends })), [
      { is: "done", refused },
    ]);
    assert.deepEqual(
      (await bench.read("a")).journal.map(({ error }) => error),
      ["not-found", "ended failed"],
    );
  },

  "S11 S13: an event is emitted with its entry; another payload under its id is refused": async (bench) => {
    const worker = await bench.join({ workflows: [spec("order"), spec("mail", "1", { on: EVENT })] });
    const run = await worker.bear("a");
    const sends = [sendEvent(1, "e"), sendEvent(2, "e"), sendEvent(3, "e", { payload: "other" })];
    assert.deepEqual(await worker.commit(advance(run, { entries: entries(1, 3, "emit"), sends })), [
      { is: "done", refused: [{ seq: 3, reason: "conflict" }] },
    ]);
    const { run: made } = await bench.read(`${EVENT}/e/mail`);
    assert.deepEqual([made.parent, made.event, made.raw], [null, "event e", true]);
    assert.deepEqual(
      (await bench.store.events({ limit: 9 })).map(({ id, runs }) => [id, runs]),
      [["e", 1]],
    );
  },

  "S11: what is sent is done in its order": async (bench) => {
    const worker = await bench.join();
    const sends = [
      sendMessage(1, signal("child", "early")),
      sendStart(2, "child"),
      sendMessage(3, signal("child", "1")),
      sendMessage(4, signal("child", "2")),
    ];
    assert.deepEqual(
      await worker.commit(advance(await worker.bear("a"), { entries: entries(1, 4), sends })),
      [{ is: "done", refused: [{ seq: 1, reason: "not-found" }] }],
    );
    assert.deepEqual(
      (await bench.read("child")).messages.map(({ id }) => id),
      ["1", "2"],
    );
  },

  "S11: what a run sends as it is let go is sent with that": async (bench) => {
    const worker = await bench.join();
    await worker.bear("ends", "sticks", "parks");
    await bench.commit(start("b"));
    const telling = (id: string) => [sendMessage(null, cancel("b", id))];
    await worker.commit(
      advance({ runId: "ends", attempt: 1 }, { sends: telling("1"), then: end() }),
      advance({ runId: "sticks", attempt: 1 }, { sends: telling("2"), then: stick() }),
      advance({ runId: "parks", attempt: 1 }, { sends: telling("3"), then: park(0) }),
    );
    assert.deepEqual(
      (await bench.read("b")).messages.map(({ id }) => id),
      ["1", "2", "3"],
    );
  },

  "S6 S11: also when the run is not parked, with the entries that are kept": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(start("b"), signal("a", "1"));
    const sends = [sendMessage(null, cancel("b", "1"))];
    assert.deepEqual(await worker.commit(advance(run, { entries: [entry(1)], sends, then: park(0) })), [
      { is: "inbox-changed" },
    ]);
    assert.equal((await bench.read("b")).run.inbox, 1);
  },

  "S2 S11: a batch that is sent again sends nothing again, and answers the same": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(start("b"));
    const sends = [sendStart(1, "child"), sendMessage(2, signal("b", "1")), sendMessage(3, signal("c", "1"))];
    const first = await worker.commit(advance(run, { entries: entries(1, 3), sends }));
    assert.deepEqual(first, [{ is: "done", refused: [{ seq: 3, reason: "not-found" }] }]);
    await bench.commit(start("c"));
    assert.deepEqual(await worker.resend(), first);
    assert.deepEqual([(await bench.read("b")).run.inbox, (await bench.read("c")).run.inbox], [1, 0]);
  },

  "S1 S11: many children in one write": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const seqs = Array.from({ length: 300 }, (_, index) => index + 1);
    const sends = seqs.map((seq) => sendStart(seq, `child-${seq}`, { awaited: seq % 2 === 0 }));
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: entries(1, 300, "call"), sends }))), [
      "done",
    ]);
    assert.equal(await bench.store.count({ parent: "a" }), 300);
  },

  "S1 S11 F57: what the store can't hold is refused, and sinks nothing beside it": async (bench) => {
    const worker = await bench.join();
    for (const [what, input] of [
      ["nul", '"a\u0000b"'],
      ["surrogate", '"a\ud800b"'],
    ] as const) {
      const run = await worker.bear(what);
      const sends = [sendStart(1, `${what}/bad`, { input, inputHash: "h" }), sendStart(2, `${what}/good`)];
      const [hard, beside] = await worker.commit(
        advance(run, { entries: entries(1, 2, "start"), sends }),
        start(`beside ${what}`),
      );
      assert.equal(beside?.is, "created");
      const { journal } = await bench.read(what);
      const child = await bench.store.read(`${what}/bad`);
      // Some can't tell which part of a write it was.
      if (hard?.is === "refused") assert.deepEqual([journal, child], [[], undefined]);
      else if (child === undefined) assert.match(journal[0]?.error ?? "", /^refused /);
      else assert.deepEqual([child.run.input, journal[0]?.error], [input, undefined]);
      if (hard?.is !== "refused") assert.equal((await bench.read(`${what}/good`)).run.parent?.runId, what);
    }
  },
};
