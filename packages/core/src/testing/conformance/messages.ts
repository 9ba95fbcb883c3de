import assert from "node:assert/strict";
import { type Cases, kinds } from "./bench.ts";
import {
  advance,
  cancel,
  end,
  entry,
  FAR_AWAY,
  HOUR_MS,
  LONG_AGO,
  park,
  RELEASE,
  signal,
  start,
  stick,
} from "./writes.ts";

export const messages: Cases = {
  "S7: messages are kept in the order in which they were accepted": async (bench) => {
    await bench.commit(start("a"));
    const sent = [
      signal("a", "s1", { name: "paid", payload: '{"by":"card"}' }),
      cancel("a", "c1"),
      signal("a", "s2"),
    ];
    assert.deepEqual(kinds(await bench.commit(...sent)), ["done", "done", "done"]);
    const { run, messages, now } = await bench.read("a");
    assert.equal(run.inbox, 3);
    assert.deepEqual(
      messages.map(({ type, id, name, payload }) => ({ type, id, name, payload })),
      sent.map(({ message }) => message),
    );
    const numbers = messages.map(({ no }) => no);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].toSorted((a, b) => a - b),
      "their numbers grow",
    );
    assert.ok(messages.every(({ at }) => at >= run.createdAt && at <= now));
  },

  "S6: a signal starts no run before its time, a cancel does not wait for it": async (bench) => {
    await bench.commit(start("a", { due: { at: FAR_AWAY } }));
    await bench.commit(signal("a", "1"));
    assert.equal((await bench.read("a")).run.dueAt, FAR_AWAY);
    await bench.commit(cancel("a", "2"));
    const { run, now } = await bench.read("a");
    assert.ok(run.dueAt !== null && run.dueAt <= now);
  },

  "S7 F120: an id is accepted once per run and type, whatever comes with it": async (bench) => {
    await bench.commit(start("a"));
    await bench.commit(signal("a", "1", { payload: "1" }));
    const again = [signal("a", "1", { payload: "2" }), signal("a", "1", { name: "other" })];
    assert.deepEqual(kinds(await bench.commit(...again)), ["duplicate", "duplicate"]);
    assert.deepEqual(kinds(await bench.commit(cancel("a", "1"), cancel("a", "1"))), ["done", "duplicate"]);
    const { run, messages } = await bench.read("a");
    assert.deepEqual([run.inbox, messages.map(({ payload }) => payload)], [2, ["1", "null"]]);
  },

  "S7 F120: the same id twice in one batch is accepted once": async (bench) => {
    await bench.commit(start("a"));
    assert.deepEqual(kinds(await bench.commit(signal("a", "1"), signal("a", "1"))), ["done", "duplicate"]);
    assert.equal((await bench.read("a")).run.inbox, 1);
  },

  "S7 F120: an id stays taken when its message was consumed, and when the run ended": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const [{ no } = { no: 0 }] = (await bench.read("a")).messages;
    await worker.commit(advance(run, { entries: [entry(1, { kind: "signal" })], consume: [[no, 1]] }));
    assert.deepEqual(await bench.commit(signal("a", "1")), [{ is: "duplicate" }]);
    await worker.commit(advance(run, { then: end() }));
    assert.deepEqual(await bench.commit(signal("a", "1")), [{ is: "duplicate" }]);
  },

  "F120: ids belong to a run: two runs can be sent the same": async (bench) => {
    await bench.commit(start("a"), start("b"));
    assert.deepEqual(kinds(await bench.commit(signal("a", "1"), signal("b", "1"))), ["done", "done"]);
  },

  "F120: a message to nobody is not found": async (bench) => {
    assert.deepEqual(await bench.commit(signal("nobody", "1"), cancel("nobody", "2")), [
      { is: "not-found" },
      { is: "not-found" },
    ]);
    assert.equal(await bench.store.read("nobody"), undefined);
  },

  "S7 S8 F120: a run that has ended takes no new message and says how it ended": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    for (const [runId, status] of [
      ["a", "completed"],
      ["b", "failed"],
      ["c", "canceled"],
    ] as const) {
      await worker.commit(advance({ runId, attempt: 1 }, { then: end(status) }));
      const before = await bench.read(runId);
      assert.deepEqual(await bench.commit(signal(runId, "1"), cancel(runId, "2")), [
        { is: "ended", status },
        { is: "ended", status },
      ]);
      const { run, messages } = await bench.read(runId);
      assert.deepEqual([run, messages], [before.run, []]);
    }
  },

  "S6 F120: a message makes a parked run due, and comes with its claim": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    await worker.commit(
      advance({ runId: "a", attempt: 1 }, { then: park(0) }),
      advance({ runId: "b", attempt: 1 }, { then: park(0, { dueAt: FAR_AWAY }) }),
      advance({ runId: "c", attempt: 1 }, { then: park(0) }),
    );
    await bench.commit(signal("a", "1"), cancel("b", "2"));
    assert.equal(await bench.statusOf("a"), "ready");
    const { claims } = await worker.claim();
    const got = claims.map(({ run, messages }) => [run.id, run.inbox, messages.map(({ id }) => id)]);
    assert.deepEqual(
      new Set(got.map((one) => JSON.stringify(one))),
      new Set(['["a",1,["1"]]', '["b",1,["2"]]']),
    );
  },

  "S5: a message to a run that is owned leaves it with its owner": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a");
    const before = await bench.read("a");
    await bench.commit(signal("a", "1"), cancel("a", "2"));
    const { run } = await bench.read("a");
    assert.deepEqual(run, { ...before.run, inbox: 2 });
    assert.deepEqual(await (await bench.join()).claimIds(), []);
  },

  "F72: a message to a run that is due already does not send it to the end of the queue": async (bench) => {
    const worker = await bench.join();
    await worker.bear("first", "second");
    await worker.commit(
      advance({ runId: "first", attempt: 1 }, { then: park(0, { dueAt: LONG_AGO }) }),
      advance({ runId: "second", attempt: 1 }, { then: park(0, { dueAt: LONG_AGO + 1 }) }),
    );
    await bench.commit(signal("first", "1"));
    assert.deepEqual(await worker.claimIds(), ["first", "second"]);
  },

  "F120: a signal to a stuck run is kept for it, and the run stays stuck": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: stick() }));
    assert.deepEqual(kinds(await bench.commit(signal("a", "1"))), ["done"]);
    assert.equal(await bench.statusOf("a"), "stuck");
    assert.deepEqual(await worker.claimIds(), []);
    const { run, messages } = await bench.read("a");
    assert.deepEqual([run.inbox, run.dueAt, messages.length], [1, null, 1]);
  },

  "F19: a cancel frees a stuck run, for its worker to undo it": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: stick() }));
    assert.deepEqual(kinds(await bench.commit(cancel("a", "1"))), ["done"]);
    assert.equal((await bench.read("a")).run.stuck, null);
    const { claims } = await worker.claim();
    assert.deepEqual(
      claims.map(({ messages }) => messages.map(({ type }) => type)),
      [["cancel"]],
    );
  },

  "F119: a cancel reaches a run that was to start later": async (bench) => {
    await bench.commit(start("a", { due: { inMs: HOUR_MS } }));
    await bench.commit(cancel("a", "1"));
    assert.deepEqual(await (await bench.join()).claimIds(), ["a"]);
  },

  "F122: what many processes send to one run at once arrives, each once": async (bench) => {
    const stores = [bench.store, await bench.second()];
    await bench.commit(start("a"));
    const ids = Array.from({ length: 24 }, (_, index) => `child-${index}`);
    await Promise.all(
      ids.flatMap((id) => stores.map((store) => store.commit({ writes: [signal("a", id)] }))),
    );
    const { run, messages } = await bench.read("a");
    assert.equal(run.inbox, 24);
    assert.deepEqual(messages.map(({ id }) => id).toSorted(), ids.toSorted());
    assert.equal(new Set(messages.map(({ no }) => no)).size, 24);
  },

  "S6: the owner is told of messages beyond those that it knows": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"), signal("a", "2"));
    const first = await worker.claim({ limit: 0, inboxes: [{ runId: "a", after: 0 }] });
    assert.deepEqual(
      first.inboxes.map(({ runId, inbox, messages }) => [runId, inbox, messages.map(({ id }) => id)]),
      [["a", 2, ["1", "2"]]],
    );
    const [one, two] = first.inboxes[0]?.messages ?? [];
    await bench.commit(signal("a", "3"));
    await worker.commit(
      advance(run, { entries: [entry(1, { kind: "signal" })], consume: [[one?.no ?? 0, 1]] }),
    );
    const { inboxes } = await worker.claim({ limit: 0, inboxes: [{ runId: "a", after: two?.no ?? 0 }] });
    assert.deepEqual(
      inboxes.map(({ inbox, messages }) => [inbox, messages.map(({ id }) => id)]),
      [[3, ["3"]]],
    );
  },

  "S6: an owner with nothing new hears of no message": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a");
    const { inboxes } = await worker.claim({ inboxes: [{ runId: "a", after: 0 }] });
    assert.deepEqual(
      inboxes.flatMap(({ messages }) => messages),
      [],
    );
  },

  "S5: messages are told to the owner of a run and to nobody else": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: RELEASE }));
    await bench.commit(signal("a", "1"));
    const { inboxes } = await worker.claim({ limit: 0, inboxes: [{ runId: "a", after: 0 }] });
    assert.deepEqual(
      inboxes.flatMap(({ messages }) => messages),
      [],
    );
  },
};
