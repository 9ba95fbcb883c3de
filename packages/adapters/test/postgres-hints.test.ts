/** F49, F50: hints are lossy, and nothing but latency depends on them. */
import type { Hint } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { postgres } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { eventually, Hand, kinds, signal, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";

/** Of all these runs, or that something happened, whatever it was. */
function heardOf(hints: readonly Hint[], ids: readonly string[]): boolean {
  const told = new Set(hints.flatMap(({ runIds }) => runIds ?? ids));
  return ids.every((id) => told.has(id));
}

describe("F49: a listener that is gone", () => {
  test("is replaced, and listens again", async () => {
    const bed = new Bed();
    const store = bed.open();
    const orders = await Orders.open(bed, store);
    const afar = new Orders(bed, bed.open());
    const hints: Hint[] = [];
    store.watch((hint) => hints.push(hint));
    for (let round = 0; round < 3; round++) {
      const gone = await bed.terminate(({ isSession }) => isSession);
      expect(gone.length).toBeGreaterThan(0);
      await eventually("another one listens", async () =>
        (await bed.backends()).some(({ pid, isSession }) => isSession && !gone.includes(pid)),
      );
      hints.length = 0;
      await afar.start(1);
      await eventually("the worker's store hears of it", () => heardOf(hints, [`order-${round}`]));
      await eventually("the worker executes it", () => orders.calls.length === 2 * (round + 1));
    }
    orders.started.push(...afar.started);
    await orders.allWell();
  });

  test("what happened in the meantime is found when there is one again", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const orders = await Orders.open(bed, bed.open({ via: proxy }));
    const afar = new Orders(bed, bed.open());
    await eventually("it is quiet", async () =>
      (await bed.backends()).every(({ state }) => state === "idle"),
    );
    await proxy.refuse();
    proxy.cut();
    await afar.start(3);
    await proxy.accept();
    orders.started.push(...afar.started);
    await orders.allWell();
  });
});

describe("F50: hints about many runs with long ids", () => {
  const LONG = '👩‍👩‍👧 "\\'.repeat(40);
  const idsOf = (what: string): string[] => Array.from({ length: 120 }, (_, n) => `${what} ${n} ${LONG}`);

  test("reach other processes, in a caller's transaction and without one", async () => {
    const bed = new Bed();
    const [store, other] = [bed.open(), bed.open()];
    const hints: Hint[] = [];
    other.watch((hint) => hints.push(hint));
    await eventually("it listens", async () => (await bed.backends()).some(({ isSession }) => isSession));
    const enlisted = idsOf("enlisted");
    const caller = await bed.place.connect();
    await caller.query("BEGIN");
    const writes = enlisted.map((id) => start(id));
    expect(new Set(kinds(await store.commit({ writes, tx: caller })))).toEqual(new Set(["created"]));
    await caller.query("COMMIT");
    await eventually("the other store heard of what was enlisted", () => heardOf(hints, enlisted));
    hints.length = 0;
    const plain = idsOf("plain");
    await store.commit({ writes: plain.map((id) => start(id)) });
    await eventually("the other store heard of the rest", () => heardOf(hints, plain));
  });

  test("one run with the longest id and name there may be is no exception", async () => {
    const bed = new Bed();
    const [store, other] = [bed.open(), bed.open()];
    const hand = await Hand.join(other);
    const hints: Hint[] = [];
    other.watch((hint) => hints.push(hint));
    const id = "\u{1f469}".repeat(250);
    await store.commit({ writes: [start(id), signal(id, "\u{1f469}".repeat(250))] });
    await eventually("the other store heard of it", () => heardOf(hints, [id]));
    expect((await hand.claim()).map(({ run }) => run.id)).toEqual([id]);
  });
});

test("what a process did before it closed its store is heard of, also when it did nothing else", async () => {
  const bed = new Bed();
  const other = bed.open();
  const hints: Hint[] = [];
  other.watch((hint) => hints.push(hint));
  await eventually("it listens", async () => (await bed.backends()).some(({ isSession }) => isSession));
  const brief = postgres(bed.place.url, { schema: bed.place.schema });
  await brief.commit({ writes: [start("a"), start("b")] });
  await brief.close();
  await eventually("the other store heard of both", () => {
    const heard = new Set(hints.flatMap(({ runIds }) => runIds ?? []));
    return heard.has("a") && heard.has("b");
  });
});
