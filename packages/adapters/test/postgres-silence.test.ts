/** F46, F47: connections on which nothing passes any more, and nobody says so. */
import { describe, expect, test } from "vitest";
import { Bed } from "./postgres/bed.ts";
import { eventually, Hand } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";

describe("F46: the driver's own query_timeout", () => {
  test("leaves no half-open connection in the application's pool", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const { store, pool } = bed.openOnPool({ max: 2, query_timeout: 300 }, { via: proxy });
    const orders = await Orders.open(bed, store);
    const afar = new Orders(bed, bed.open());
    for (const request of [" commit\0", "settle_transact", " claim\0", "INSERT INTO"]) {
      const silenced = proxy.silence(request);
      await afar.start(2);
      await silenced;
      orders.started.splice(0, Infinity, ...afar.started);
      await orders.results();
      // Whatever connection the application gets next, it answers.
      await eventually("none is in use", () => pool.idleCount === pool.totalCount);
      await Promise.all([1, 2, 3].map(() => pool.query("SELECT 1")));
      // The server would wait for ten seconds before it ends a silent transaction.
      proxy.cut();
    }
    await orders.allWell({ claims: 2 });
  });
});

describe("F47: a connection that says nothing any more", () => {
  test("is noticed by the next heartbeat, and the worker stays alive", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const orders = await Orders.open(bed, bed.open({ via: proxy }));
    const other = await Hand.join(bed.open());
    const gate = orders.hold("charge");
    await orders.start(1);
    await gate.reached;
    await proxy.silence(" renew\0");
    const since = performance.now();
    // The server still has the old session, and with it the worker's lock: it shows in its row that it is alive.
    await eventually("it beats over another connection", async () => {
      const beats = await bed.place.rows<{ beat: string }>(
        "SELECT beat FROM @workers WHERE id <> $1",
        other.id,
      );
      return beats.some(({ beat }) => Number(beat) > 0);
    });
    // A heartbeat is given up after 400 ms, what is asked otherwise after ten seconds.
    expect(performance.now() - since).toBeLessThan(8_000);
    const beatAt = performance.now();
    await eventually("others look at it for longer than a death takes to notice", async () => {
      expect((await other.renew()).reaped).toBe(0);
      return performance.now() - beatAt > 2_500;
    });
    gate.open();
    await orders.allWell();
    expect(orders.complaints).toEqual([]);
  });
});
