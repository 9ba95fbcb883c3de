/** What the outbox tells is written with what it tells of, and taken out at least once. */
import assert from "node:assert/strict";
import type { OutboxEvent, ShippedWrite } from "../../store.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import { advance, end, entry, park, signal } from "./writes.ts";

const events = (...ids: readonly string[]): OutboxEvent[] =>
  ids.map((id) => ({ id, text: `{"of":"${id}"}` }));

const shipped = (...nos: readonly number[]): ShippedWrite => ({ kind: "shipped", nos });

async function take(bench: Bench, limit = 100, forMs = 60_000): Promise<string[]> {
  return (await bench.store.takeOutbox({ limit, forMs })).map(({ id }) => id);
}

export const outbox: Cases = {
  "S1: rows are taken in the order in which they were written, as they are": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const text = '{"é":"\\u0000 \' \\" \\n"}';
    await worker.commit(
      advance(run, { entries: [entry(1)], outbox: [{ id: "z", text }, ...events("y")] }),
      advance(run, { outbox: events("x") }),
    );
    await worker.commit(advance(run, { outbox: events("w"), then: end() }));
    const rows = await bench.store.takeOutbox({ limit: 100, forMs: 60_000 });
    assert.deepEqual(
      rows.map(({ id }) => id),
      ["z", "y", "x", "w"],
    );
    assert.equal(rows[0]?.text, text);
    const nos = rows.map(({ no }) => no);
    assert.deepEqual(
      nos,
      [...new Set(nos)].toSorted((a, b) => a - b),
      "their numbers grow",
    );
  },

  "S3 S4: what is fenced or refused tells nothing": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(
      advance({ ...run, attempt: 0 }, { outbox: events("x") }),
      advance(run, { entries: [entry(2)], outbox: events("y") }),
    );
    assert.deepEqual(kinds(outcomes), ["fenced", "refused"]);
    assert.deepEqual(await take(bench), []);
  },

  "S6: what is not parked tells what it kept": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const outcomes = await worker.commit(advance(run, { outbox: events("x"), then: park(0) }));
    assert.deepEqual(kinds(outcomes), ["inbox-changed"]);
    assert.deepEqual(await take(bench), ["x"]);
  },

  "S2: a batch that is sent again tells nothing again": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { outbox: events("x") }));
    await worker.resend();
    assert.deepEqual(await take(bench), ["x"]);
  },

  "P4: `transact` tells with its entry, and nothing when its body throws": async (bench) => {
    const worker = await bench.join();
    const run = { worker: worker.id, ...(await worker.bear("a")) };
    const settle = () => ({ entry: entry(1), settled: [], outbox: events("x", "y") });
    const failing = () => {
      throw new Error("no");
    };
    await assert.rejects(bench.store.transact({ ...run, body: failing, settle }), /no/);
    assert.deepEqual(await take(bench), []);
    await bench.store.transact({ ...run, body: () => 1, settle });
    assert.deepEqual(await take(bench), ["x", "y"]);
  },

  "S9: rows are the taker's for a while, and then anybody's": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { outbox: events("1", "2", "3") }));
    assert.deepEqual(await take(bench, 2), ["1", "2"]);
    assert.deepEqual(await take(bench, 2), ["3"]);
    assert.deepEqual(await take(bench), []);
    await worker.commit(advance(run, { outbox: events("4", "5") }));
    assert.deepEqual(await take(bench, 9, 100), ["4", "5"]);
    await bench.pass(101);
    assert.deepEqual(await take(bench), ["4", "5"]);
  },

  "rows that have arrived are gone, others are not": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { outbox: events("1", "2", "3") }));
    const rows = await bench.store.takeOutbox({ limit: 100, forMs: 0 });
    const [one = 0, , three = 0] = rows.map(({ no }) => no);
    assert.deepEqual(await bench.commit(shipped(one, three), shipped(one), shipped()), [
      { is: "done" },
      { is: "done" },
      { is: "done" },
    ]);
    await bench.pass(1);
    assert.deepEqual(await take(bench), ["2"]);
    await worker.commit(advance(run, { outbox: events("4") }));
    const [four] = await bench.store.takeOutbox({ limit: 100, forMs: 0 });
    assert.ok(four?.id === "4" && four.no > three, "no number is given twice");
  },

  "F122: of two who take at once, each gets rows of its own": async (bench) => {
    const second = await bench.second();
    const worker = await bench.join();
    const ids = Array.from({ length: 40 }, (_, index) => `event-${index}`);
    await worker.commit(advance(await worker.bear("a"), { outbox: events(...ids) }));
    const tried = Array.from({ length: 8 }, (_, index) =>
      (index % 2 === 0 ? bench.store : second).takeOutbox({ limit: 5, forMs: 60_000 }),
    );
    const taken = (await Promise.all(tried)).flat().map(({ id }) => id);
    assert.equal(new Set(taken).size, taken.length, "no row was taken twice");
    const rest = await take(bench);
    assert.deepEqual([...taken, ...rest].toSorted(), ids.toSorted());
  },
};
