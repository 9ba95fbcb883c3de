/** F57: rows that were damaged, by SQL of somebody else: what belongs to others goes on. */
import { StoreError } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { Bed } from "./postgres/bed.ts";
import { advance, entry, eventually, Hand, kinds, rejection, signal, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";

/** The largest `bigint`: one more, and the statement fails. */
const LAST = "9223372036854775807";

describe("F57: one damaged run among others that are due", () => {
  const damages: Readonly<Record<string, readonly [sql: string, status: string]>> = {
    // Said by each look at it; its worker gives it back, and it is due again.
    "an entry is missing": ["UPDATE @journal SET seq = 2 WHERE seq = 1 AND run = $1", "running"],
    "an entry is of no kind": ["UPDATE @journal SET kind = 'nonsense' WHERE seq = 1 AND run = $1", "stuck"],
    "an entry's value is no value": ["UPDATE @journal SET value = '{' WHERE seq = 1 AND run = $1", "stuck"],
    "its input is no value": ["UPDATE @runs SET input = '{' WHERE no = $1", "stuck"],
    "its attempts are used up": [`UPDATE @runs SET attempt = ${LAST} WHERE no = $1`, "stuck"],
    "an error that nobody reads is none": [
      "INSERT INTO @retries VALUES ($1, 'mail', 1, 1, 1, '{', false)",
      "completed",
    ],
    "what it waits for is no text of ours": ["UPDATE @runs SET waits = '{' WHERE no = $1", "completed"],
  };
  for (const [what, [damage, status]] of Object.entries(damages)) {
    test(`${what}: the others complete`, async () => {
      const bed = new Bed();
      const orders = new Orders(bed, bed.open());
      await Orders.makeTable(bed);
      await orders.start(12);
      // Each has taken its first step.
      const before = await Hand.join(bed.open());
      const charged = entry(1, { key: "charge", value: undefined });
      for (const { run } of await before.claim())
        await before.commit(advance(run.id, { entries: [charged], then: { do: "release" } }));
      const [bad] = await bed.place.rows<{ no: string }>("SELECT no FROM @runs WHERE id = 'order-5'");
      await bed.place.rows(damage, bad?.no);

      onTestFinished(async () => void (await orders.worker.stop({ grace: 0 })));
      await orders.worker.start();
      await orders.start(1);
      const good = orders.started.filter((id) => id !== "order-5");
      await Promise.all(good.map((id) => orders.client.get(id).result({ timeout: "100s" })));
      expect(orders.calls.filter(({ key }) => key.endsWith("charge"))).toHaveLength(1);
      // It is in nobody's way where runs are looked at, either.
      expect((await orders.client.runs.list({ limit: 100 })).runs).toHaveLength(13);
      await eventually(
        `it is ${status}`,
        async () => (await orders.client.get("order-5").status()) === status,
      );
    });
  }
});

describe("F57: one damaged run of a dead worker", () => {
  test("its others are taken over", async () => {
    const bed = new Bed();
    const victim = await Hand.join(bed.open(), { leaseMs: 300 });
    const ids = ["a", "bad", "c"];
    await victim.commit(...ids.map((id) => start(id, { claim: true })));
    await bed.place.rows(`UPDATE @runs SET strikes = ${LAST} WHERE id = 'bad'`);
    const heir = await Hand.join(bed.open());
    const claimed: string[] = [];
    await eventually("the others are claimed", async () => {
      expect((await heir.renew()).live).toBe(true);
      claimed.push(...(await heir.claim()).map(({ run }) => run.id));
      return claimed.includes("a") && claimed.includes("c");
    });
    // It is a person's: nothing about it can be counted any more.
    const details = await heir.store.read("bad");
    expect(details?.run.stuck?.message).toMatch(
      /run bad: its row in the database is damaged: bigint out of range/,
    );
  });
});

describe("F57: one damaged run in a batch", () => {
  test("its write is refused alone", async () => {
    const bed = new Bed();
    const hand = await Hand.join(bed.open());
    await hand.commit(...["a", "bad", "c"].map((id) => start(id, { claim: true })));
    await bed.place.rows(`UPDATE @runs SET inbox = ${LAST} WHERE id = 'bad'`);
    expect(
      kinds(
        await hand.commit(
          advance("a", { entries: [entry(1)] }),
          signal("bad", "1"),
          advance("c", { entries: [entry(1)] }),
        ),
      ),
    ).toEqual(["done", "refused", "done"]);
    await bed.place.rows("INSERT INTO @journal SELECT no, 1, 1, 'step', 'x', 1 FROM @runs WHERE id = 'bad'");
    expect(
      kinds(
        await hand.commit(
          ...["a", "bad", "c"].map((id, n) => advance(id, { entries: [entry(n === 1 ? 1 : 2)] })),
        ),
      ),
    ).toEqual(["done", "refused", "done"]);
    expect((await hand.renew()).owned).toHaveLength(3);
  });

  test("a run whose journal is damaged is read with an error that says so, and listed", async () => {
    const bed = new Bed();
    const hand = await Hand.join(bed.open());
    await hand.commit(start("a", { claim: true }), advance("a", { entries: [entry(1), entry(2)] }));
    await bed.place.rows("DELETE FROM @journal WHERE seq = 1");
    const error = await rejection(hand.store.read("a"));
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/journal of run a is damaged/);
    expect((await hand.store.list({}, { limit: 5 })).runs.map(({ id }) => id)).toEqual(["a"]);
  });
});
