/** A run's end is told to every run that waits for it, in the same transaction (S12). */
import assert from "node:assert/strict";
import type { Message } from "../../store.ts";
import type { Bench, Cases, Hand } from "./bench.ts";
import {
  advance,
  end,
  entries,
  entry,
  type OwnedRun,
  park,
  pause,
  purge,
  mend,
  sendStart,
  start,
  stick,
} from "./writes.ts";

/** The run calls others, with its next entries. */
async function call(worker: Hand, run: OwnedRun, ...ids: readonly string[]): Promise<void> {
  const sends = ids.map((id, index) => sendStart(index + 1, id, { key: `call ${id}`, awaited: true }));
  const [outcome] = await worker.commit(advance(run, { entries: entries(1, ids.length, "call"), sends }));
  assert.deepEqual(outcome, { is: "done" });
}

const told = (messages: readonly Message[]): unknown[] =>
  messages.map(({ type, id, name, payload }) => ({
    type,
    id,
    name,
    payload: JSON.parse(payload) as unknown,
  }));

async function toldTo(bench: Bench, runId: string): Promise<unknown[]> {
  return told((await bench.read(runId)).messages);
}

const completed = (id: string, key = `call ${id}`) => ({
  type: "child",
  id,
  name: key,
  payload: { status: "completed" },
});

export const children: Cases = {
  "S12: the end of a child is told to its parent, whatever it is": async (bench) => {
    const worker = await bench.join();
    await call(worker, await worker.bear("parent"), "a", "b", "c");
    await worker.claim();
    await worker.commit(
      advance({ runId: "a", attempt: 1 }, { then: end("completed", { result: '{"x":"\\u00e9 \\""}' }) }),
      advance({ runId: "b", attempt: 1 }, { then: end("failed", { error: '{"message":"no"}' }) }),
      advance({ runId: "c", attempt: 1 }, { then: end("canceled") }),
    );
    const { run, messages, now } = await bench.read("parent");
    assert.equal(run.inbox, 3);
    assert.deepEqual(told(messages), [
      { ...completed("a"), payload: { status: "completed", result: '{"x":"\\u00e9 \\""}' } },
      { ...completed("b"), payload: { status: "failed", error: '{"message":"no"}' } },
      { ...completed("c"), payload: { status: "canceled" } },
    ]);
    assert.ok(messages.every(({ at }) => at >= run.createdAt && at <= now));
  },

  "S6 S12: a parked parent is due, and its claim has what it was told": async (bench) => {
    const worker = await bench.join();
    const parent = await worker.bear("parent");
    await call(worker, parent, "child");
    const waits = [{ kind: "child", key: "call child", until: null }] as const;
    await worker.commit(advance(parent, { then: park(0, { waits }) }));
    assert.equal(await bench.statusOf("parent"), "waiting");
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    const { claims } = await worker.claim();
    assert.deepEqual(
      claims.map(({ run, messages }) => [run.id, told(messages)]),
      [["parent", [completed("child")]]],
    );
  },

  "S5 S12: a parent that is owned stays with its owner, who hears of it": async (bench) => {
    const worker = await bench.join();
    const parent = await worker.bear("parent");
    await call(worker, parent, "child");
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    const { inboxes } = await worker.claim({ limit: 0, inboxes: [{ runId: "parent", after: 0 }] });
    assert.deepEqual(
      inboxes.map(({ runId, inbox, messages }) => [runId, inbox, told(messages)]),
      [["parent", 1, [completed("child")]]],
    );
    const consume = [[inboxes[0]?.messages[0]?.no ?? 0, 2]] as const;
    await worker.commit(advance(parent, { entries: [entry(2, { kind: "child" })], consume }));
    assert.deepEqual(await toldTo(bench, "parent"), []);
  },

  "S6 S12: a parent is not parked over the end of its child": async (bench) => {
    const worker = await bench.join();
    const parent = await worker.bear("parent");
    await call(worker, parent, "child");
    const child = await worker.own("child");
    const outcomes = await worker.commit(advance(child, { then: end() }), advance(parent, { then: park(0) }));
    assert.deepEqual(outcomes, [{ is: "done" }, { is: "inbox-changed" }]);
  },

  "S12: a run that had ended already is told of at once": async (bench) => {
    const worker = await bench.join();
    await worker.bear("child", "parent");
    await worker.commit(advance({ runId: "child", attempt: 1 }, { then: end("completed", { result: "7" }) }));
    await call(worker, { runId: "parent", attempt: 1 }, "child");
    const { run } = await bench.read("parent");
    assert.deepEqual([run.inbox, run.owner], [1, worker.id]);
    assert.deepEqual(await toldTo(bench, "parent"), [
      { ...completed("child"), payload: { status: "completed", result: "7" } },
    ]);
  },

  "S12: nobody is told of a child that is only started": async (bench) => {
    const worker = await bench.join();
    const sends = [sendStart(1, "child")];
    await worker.commit(advance(await worker.bear("parent"), { entries: entries(1, 1), sends }));
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    assert.equal((await bench.read("parent")).run.inbox, 0);
  },

  "S12: all that wait for a run are told, once each": async (bench) => {
    const worker = await bench.join();
    const [one, two] = [await worker.bear("one"), await worker.bear("two")];
    await call(worker, one, "child");
    await call(worker, two, "child");
    const again = [
      sendStart(2, "child", { key: "call child", awaited: true }),
      sendStart(3, "child", { key: "another call", awaited: true }),
    ];
    await worker.commit(advance(two, { entries: entries(2, 3, "call"), sends: again }));
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    assert.deepEqual(await toldTo(bench, "one"), [completed("child")]);
    const all = (await toldTo(bench, "two")).map((message) => JSON.stringify(message)).toSorted();
    const expected = [completed("child"), completed("child", "another call")];
    assert.deepEqual(all, expected.map((message) => JSON.stringify(message)).toSorted());
  },

  "S12: who was told is not told again when the child is mended and ends again": async (bench) => {
    const worker = await bench.join();
    await call(worker, await worker.bear("parent"), "child");
    await worker.commit(advance(await worker.own("child"), { then: end("failed") }));
    await bench.commit(mend(await bench.read("child"), { phase: "forward" }));
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    assert.equal((await bench.read("parent")).run.inbox, 1);
  },

  "S3 S12: an end that is fenced is told to nobody": async (bench) => {
    const worker = await bench.join();
    await call(worker, await worker.bear("parent"), "child");
    const child = await worker.own("child");
    await worker.commit(advance({ ...child, attempt: 2 }, { then: end() }));
    assert.equal((await bench.read("parent")).run.inbox, 0);
  },

  "S12: a parent that is stuck or paused is told, and stays what it is": async (bench) => {
    const worker = await bench.join();
    const [stuck, paused] = [await worker.bear("stuck"), await worker.bear("paused")];
    await call(worker, stuck, "a");
    await call(worker, paused, "b");
    await worker.commit(advance(stuck, { then: stick() }), advance(paused, { then: park(0) }));
    await bench.commit(pause("paused"));
    await worker.claim();
    await worker.commit(
      advance({ runId: "a", attempt: 1 }, { then: end() }),
      advance({ runId: "b", attempt: 1 }, { then: end() }),
    );
    assert.deepEqual(await toldTo(bench, "stuck"), [completed("a")]);
    assert.deepEqual(await toldTo(bench, "paused"), [completed("b")]);
    assert.deepEqual(await worker.claimIds(), []);
  },

  "S7 S8 S12: a parent that has ended is told when it is mended to go on": async (bench) => {
    const worker = await bench.join();
    const parent = await worker.bear("parent");
    await call(worker, parent, "child");
    await worker.commit(advance(parent, { then: end("canceled") }));
    await worker.commit(advance(await worker.own("child"), { then: end() }));
    assert.deepEqual([(await bench.read("parent")).run.inbox, await toldTo(bench, "parent")], [0, []]);
    await bench.commit(mend(await bench.read("parent"), { phase: "forward" }));
    assert.deepEqual(await toldTo(bench, "parent"), [completed("child")]);
    const { run } = await bench.read("parent");
    assert.deepEqual([run.inbox, await bench.statusOf("parent")], [1, "ready"]);
  },

  "S12: a child that was purged can't be waited for": async (bench) => {
    const worker = await bench.join();
    await worker.bear("child", "parent");
    await worker.commit(advance({ runId: "child", attempt: 1 }, { then: end() }));
    await bench.commit(purge("child"));
    const outcomes = await worker.commit(
      advance(
        { runId: "parent", attempt: 1 },
        {
          entries: entries(1, 2, "call"),
          sends: [sendStart(1, "child", { awaited: true }), sendStart(2, "child")],
        },
      ),
    );
    assert.deepEqual(outcomes, [{ is: "done", refused: [{ seq: 1, reason: "not-found" }] }]);
    assert.equal(await bench.store.read("child"), undefined);
  },

  "S12 F122: children that end at once all wake their parent, each once": async (bench) => {
    const second = await bench.second();
    const hands = [await bench.join(), await bench.join({}, second)];
    const [worker = await bench.join()] = hands;
    const parent = await worker.bear("parent");
    const ids = Array.from({ length: 24 }, (_, index) => `child-${index}`);
    await call(worker, parent, ...ids);
    await worker.commit(advance(parent, { then: park(0) }));
    const held = await Promise.all(
      hands.map(async (hand) => ({ hand, claims: (await hand.claim({ limit: 12 })).claims })),
    );
    assert.equal(held.flatMap(({ claims }) => claims).length, 24);
    const endAll = async ({ hand, claims }: (typeof held)[number]): Promise<void> => {
      for (const { run } of claims)
        await hand.commit(advance({ runId: run.id, attempt: 1 }, { then: end() }));
    };
    await Promise.all(held.map(endAll));
    const { run, messages } = await bench.read("parent");
    assert.equal(run.inbox, 24);
    assert.deepEqual(messages.map(({ id }) => id).toSorted(), ids.toSorted());
    assert.equal(new Set(messages.map(({ no }) => no)).size, 24);
    assert.equal(await bench.statusOf("parent"), "ready");
  },

  "S12 F122: a child that ends while its parent begins to wait is never missed": async (bench) => {
    const second = await bench.second();
    const [mine, other] = [await bench.join(), await bench.join({}, second)];
    for (let round = 0; round < 10; round++) {
      const parent = await mine.bear(`parent-${round}`);
      await bench.commit(start(`child-${round}`));
      const child = await other.own(`child-${round}`);
      await Promise.all([call(mine, parent, child.runId), other.commit(advance(child, { then: end() }))]);
      assert.deepEqual(await toldTo(bench, parent.runId), [completed(child.runId)], `round ${round}`);
    }
  },
};
