/** F55, F58: numbers that are exact however large they get, and no timestamps among them. */
import type { Hint } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { Bed } from "./postgres/bed.ts";
import { advance, entry, eventually, Hand, kinds, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";

async function setSequence(
  bed: Bed,
  table: "runs" | "workers",
  column: string,
  value: number,
): Promise<void> {
  await bed.place.rows(
    "SELECT setval(pg_get_serial_sequence($1, $2), $3)",
    `${bed.place.quoted}.${table}`,
    column,
    value,
  );
}

test("F55 F58: the schema counts in bigint, and knows no type of date or time", async () => {
  const bed = new Bed();
  await bed.migrate();
  const columns = await bed.place.rows<{ name: string; type: string }>(
    `SELECT table_name || '.' || column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = $1`,
    bed.place.schema,
  );
  expect(columns.length).toBeGreaterThan(40);
  expect(new Set(columns.map(({ type }) => type))).toEqual(new Set(["bigint", "text", "boolean"]));
  const typeOf = (name: string): string | undefined => columns.find((column) => column.name === name)?.type;
  const tokens = ["runs.no", "runs.owner", "runs.attempt", "journal.attempt", "workers.id", "workers.batch"];
  expect(tokens.map(typeOf)).toEqual(tokens.map(() => "bigint"));
});

describe("F58: numbers beyond 32 bits", () => {
  for (const [what, from] of [
    ["2^31", 2 ** 31 - 3],
    ["2^53", 2 ** 53 - 40],
  ] as const) {
    test(`of runs and workers, around ${what}`, async () => {
      const bed = new Bed();
      await bed.migrate();
      await setSequence(bed, "runs", "no", from);
      await setSequence(bed, "workers", "id", from);
      const store = bed.open();
      const hands = [
        await Hand.join(store),
        await Hand.join(bed.open()),
        await Hand.join(store),
        await Hand.join(store),
      ];
      expect(hands.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((n) => from + n));
      for (const hand of hands) {
        const ids = [`a-${hand.id}`, `b-${hand.id}`];
        expect(kinds(await hand.commit(...ids.map((id) => start(id, { claim: true }))))).toEqual([
          "created",
          "created",
        ]);
        const entries = [entry(1, { value: `"${hand.id}"` })];
        await hand.commit(...ids.map((id) => advance(id, { entries, then: { do: "release" } })));
      }
      const [first] = hands;
      const claims = (await first?.claim()) ?? [];
      expect(claims).toHaveLength(8);
      for (const { run, journal } of claims) {
        expect(journal.map(({ value }) => value)).toEqual([`"${run.id.slice(2)}"`]);
        expect(run.owner).toBe(first?.id);
      }
      expect((await hands[1]?.renew())?.owned).toEqual([]);
      const nos = await bed.place.rows<{ no: string }>("SELECT no FROM @runs ORDER BY no");
      expect(nos.map(({ no }) => no)).toEqual(nos.map((_, n) => String(BigInt(from) + BigInt(n + 1))));
    });
  }

  for (const first of ["workers", "a client that waits for ends"]) {
    test(`workers hold their locks, and others listen, whatever their number is: ${first} first`, async () => {
      const bed = new Bed();
      await bed.migrate();
      await setSequence(bed, "workers", "id", 2 ** 31 - 3);
      const listen = async (): Promise<void> => {
        const store = bed.open();
        const heard: Hint[] = [];
        store.watch((hint) => heard.push(hint), "ends");
        const isSession = async (): Promise<boolean> =>
          (await bed.backends()).filter((backend) => backend.isSession).length > 0;
        await eventually("it listens", isSession);
      };
      if (first !== "workers") await listen();
      const hands: Hand[] = [];
      for (let n = 0; n < 5; n++) hands.push(await Hand.join(bed.open()));
      expect(await locksHeld(bed)).toBeGreaterThanOrEqual(5);
      const since = performance.now();
      await eventually("they look at each other for longer than a death takes to notice", async () => {
        for (const hand of hands) expect(await hand.renew()).toMatchObject({ live: true, reaped: 0 });
        return performance.now() - since > 1_500;
      });
      // Its client waits for ends, and its worker is the next one.
      const orders = await Orders.open(bed, bed.open());
      await orders.start(2);
      await orders.allWell();
      // Another version may be installed beside them.
      await bed.place.rows(
        "SELECT pg_advisory_xact_lock(classid::int, 0) FROM pg_locks WHERE locktype = 'advisory' LIMIT 1",
      );
    });
  }
});

function locksHeld(bed: Bed): Promise<number> {
  return bed.place
    .rows<{ locks: string }>(
      `SELECT count(*) AS locks FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'advisory' AND l.mode = 'ExclusiveLock' AND a.application_name = $1`,
      bed.name,
    )
    .then((rows) => Number(rows[0]?.locks));
}
