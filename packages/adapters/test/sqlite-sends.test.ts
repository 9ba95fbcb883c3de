/** What runs and applications send out, where SQLite differs: the caller's own transaction, and text that it can't hold. */
import type { NewEvent, Outcome, Send, Write } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { advance, entry, Hand, kinds, start } from "./hand.ts";
import { connect, openStore, tempFile, thrown } from "./sqlite-bed.ts";

const LISTENER = { name: "order", version: "1", on: "paid", priority: 3, timeoutMs: 9_000 } as const;

function paid(id: string, more: Partial<NewEvent> = {}): Write & { readonly kind: "emit" } {
  const plain = { name: "paid", payload: "1", codecId: "event", payloadHash: "1", runPrefix: `paid/${id}/` };
  return { kind: "emit", event: { id, ...plain, ...more } };
}

describe("P4 S13: an event in the application's own transaction", () => {
  test("starts its runs when that commits, and is answered at once", async () => {
    const file = tempFile();
    const store = openStore(file);
    await Hand.join(store, { workflows: [LISTENER] });
    const db = connect(file);
    let told: readonly Outcome[] = [];
    let written: Promise<readonly Outcome[]> | undefined;
    db.transaction(() => {
      const onOutcomes = (outcomes: readonly Outcome[]): void => void (told = outcomes);
      written = store.commit({ writes: [paid("1")], tx: db, onOutcomes });
      expect(told).toEqual([{ is: "emitted", runs: ["paid/1/order"], again: false }]);
    }).immediate();
    expect(await written).toEqual(told);
    expect((await store.read("paid/1/order"))?.run).toMatchObject({
      raw: true,
      event: "event",
      priority: 3,
      timeoutMs: 9_000,
    });
    expect(await store.commit({ writes: [paid("1")] })).toMatchObject([{ again: true }]);
  });

  test("was never there when that rolls back", async () => {
    const file = tempFile();
    const store = openStore(file);
    await Hand.join(store, { workflows: [LISTENER] });
    const db = connect(file);
    db.exec("BEGIN IMMEDIATE");
    await store.commit({ writes: [paid("1")], tx: db });
    db.exec("ROLLBACK");
    expect(await store.events({ limit: 1 })).toEqual([]);
    expect(await store.commit({ writes: [paid("1")] })).toMatchObject([{ again: false }]);
  });

  test("knows who joined since the connection was first used", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    const emit = async (id: string) => {
      db.exec("BEGIN IMMEDIATE");
      const outcomes = await store.commit({ writes: [paid(id)], tx: db });
      db.exec("COMMIT");
      return outcomes;
    };
    expect(await emit("1")).toMatchObject([{ runs: [] }]);
    await Hand.join(store, { workflows: [LISTENER] });
    expect(await emit("2")).toMatchObject([{ runs: ["paid/2/order"] }]);
  });

  test("but nothing that a person decides or a worker writes", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    db.exec("BEGIN IMMEDIATE");
    const writes: readonly Write[] = [
      { kind: "purge", runId: "a" },
      { kind: "pause-workflow", workflow: "order", note: "1" },
      { kind: "shipped", nos: [1] },
    ];
    for (const write of writes) {
      const refused = thrown(() => void store.commit({ writes: [write], tx: db }));
      expect(refused.message).toContain(`kind ${write.kind}`);
    }
    db.exec("COMMIT");
  });
});

test("F35 S11: a send that SQLite can't hold is the error of its entry, and sinks nothing else", async () => {
  const store = openStore();
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true }), start("b"));
  const run = { ...start("child").run, input: '"\ud800"' };
  const sends: readonly Send[] = [
    { kind: "start", seq: 1, run, key: "one", awaited: true },
    { kind: "start", seq: 2, run: start("other").run, key: "two", awaited: true },
    {
      kind: "message",
      seq: 3,
      runId: "b",
      message: { type: "signal", id: "1", name: "x\ud800", payload: "1" },
    },
    { kind: "emit", seq: 4, event: paid("\udc00").event },
    {
      kind: "message",
      seq: null,
      runId: "b\ud800",
      message: { type: "cancel", id: "1", name: "", payload: "1" },
    },
  ];
  const entries = [1, 2, 3, 4].map((seq) => entry(seq));
  const outcomes = await worker.commit(advance("a", { entries, sends }), start("good"));
  expect(kinds(outcomes)).toEqual(["done", "created"]);
  const journal = (await store.read("a"))?.journal ?? [];
  expect(journal.map(({ error }) => error?.split(" ")[0])).toEqual([
    "refused",
    undefined,
    "refused",
    "refused",
  ]);
  expect(outcomes[0]).toMatchObject({
    refused: [1, 3, 4].map((seq) => ({ seq, reason: journal[seq - 1]?.error })),
  });
  expect(await store.read("child")).toBeUndefined();
  expect((await store.read("other"))?.run.parent).toEqual({ runId: "a", key: "two", called: true });
  expect((await store.read("b"))?.run.inbox).toBe(0);
  // S2: the same batch again answers the same, word for word.
  expect(await worker.send(worker.batch, [])).toEqual(outcomes);
});

test("S12: a thousand children of one advance end one by one, and each end is told once", async () => {
  const file = tempFile();
  const store = openStore(file);
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true }));
  const ids = Array.from({ length: 1_000 }, (_, no) => `a/${no}`);
  const sends = ids.map(
    (id, index): Send => ({
      kind: "start",
      seq: index + 1,
      run: start(id).run,
      key: id,
      awaited: true,
    }),
  );
  const entries = ids.map((key, index) => entry(index + 1, { kind: "call", key }));
  await worker.commit(advance("a", { entries, sends }));
  // Their rows say who waits: there are no others.
  expect(connect(file).prepare("SELECT count(*) FROM everstep_waiters").pluck().get()).toBe(0);
  const claims = await worker.claim(1_000);
  const then = { do: "end", status: "completed", result: '"x\u0000"' } as const;
  await worker.commit(...claims.map(({ run }) => advance(run.id, { entries: [entry(1)], then })));
  const messages = (await store.read("a"))?.messages ?? [];
  expect(new Set(messages.map(({ id }) => id))).toEqual(new Set(ids));
  expect(messages).toHaveLength(1_000);
  expect(JSON.parse(messages[0]?.payload ?? "")).toEqual({ status: "completed", result: '"x\u0000"' });
});
