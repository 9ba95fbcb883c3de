/** F71, F72, F73: who gets what, when much is due. */
import { describe, expect, test } from "vitest";
import { advance, end, Hand, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";

describe("claims are bounded and fair", () => {
  test("F71: 10,000 runs that are due at once are shared by four stores, a hundred at a time", async () => {
    const place = new Place();
    const store = place.open();
    for (let thousand = 0; thousand < 10; thousand++)
      await store.commit({
        writes: Array.from({ length: 1_000 }, (_, n) => start(`run-${thousand * 1_000 + n}`)),
      });
    const hands = await Promise.all([1, 2, 3, 4].map(() => Hand.join(place.open())));
    const tookMs: number[] = [];
    const drain = async (hand: Hand): Promise<readonly string[]> => {
      const mine: string[] = [];
      for (;;) {
        const since = performance.now();
        const { claims, nextDueAt } = await hand.ask(100);
        if (claims.length > 0) tookMs.push(performance.now() - since);
        expect(claims.length).toBeLessThanOrEqual(100);
        mine.push(...claims.map(({ run }) => run.id));
        if (nextDueAt === null) return mine;
      }
    };
    const since = performance.now();
    const drained = await Promise.all(hands.map(drain));
    const seconds = (performance.now() - since) / 1_000;
    const p99 = tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length * 0.99)] ?? 0;
    console.log(
      `10,000 due runs claimed by 4 stores in ${seconds.toFixed(1)} s, ${tookMs.length} claims, p99 ${p99.toFixed(0)} ms`,
    );
    expect(drained.flat().length).toBe(10_000);
    expect(new Set(drained.flat()).size).toBe(10_000);
    for (const mine of drained) expect(mine.length).toBeGreaterThan(0);
  });

  test("F72: runs that fail again and again, and are due at once each time, starve no other", async () => {
    const store = new Place().open();
    const hand = await Hand.join(store);
    const failing = Array.from({ length: 100 }, (_, n) => start(`failing-${n}`));
    await store.commit({ writes: failing });
    await store.commit({ writes: Array.from({ length: 100 }, (_, n) => start(`good-${n}`)) });
    let claims = 0;
    while ((await store.count({ status: "completed" })) < 100) {
      const { claims: taken, now } = await hand.ask(10);
      claims += 1;
      const back = { do: "park", dueAt: now, inbox: 0, waits: [] } as const;
      await hand.commit(
        ...taken.map(({ run: { id, attempt } }) =>
          id.startsWith("good") ? { ...end(id), attempt } : advance(id, { attempt, then: back }),
        ),
      );
      expect(claims).toBeLessThanOrEqual(20);
    }
  });

  test("F73 F74: runs of other workflows and versions are left to others, however many are due", async () => {
    const store = new Place().open();
    const others = Array.from({ length: 300 }, (_, n) =>
      start(`other-${n}`, n % 2 === 0 ? { workflow: "refund" } : { version: "2" }),
    );
    await store.commit({ writes: [...others, start("mine")] });
    const hand = await Hand.join(store);
    expect((await hand.claim(10)).map(({ run }) => run.id)).toEqual(["mine"]);
    expect(await hand.ask(10)).toMatchObject({ claims: [], nextDueAt: null });
    expect((await store.read("other-0"))?.capable).toBe(0);
  });
});
