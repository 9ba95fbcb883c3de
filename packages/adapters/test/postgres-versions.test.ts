/** F125: builds of different ages on one schema. */
import { Client, type Logger, StoreError, Worker, workflow } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { VERSION } from "../src/postgres/migrations.ts";
import { advance, end, entry, eventually, Hand, kinds, rejection, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";

/** As a newer build would leave it that no longer admits this one. */
async function outdate(place: Place): Promise<void> {
  await place.rows("UPDATE @meta SET value = $1 WHERE key IN ('schema', 'oldest')", VERSION + 1);
}

describe("F125: a schema that a newer build has changed", () => {
  test("admits this build when that one says so", async () => {
    const place = new Place();
    await place.open().count({});
    await place.rows("UPDATE @meta SET value = $1 WHERE key = 'schema'", VERSION + 1);
    const hand = await Hand.join(place.open());
    await hand.commit(start("a", { claim: true }));
    expect(kinds(await hand.commit(end("a")))).toEqual(["done"]);
    expect(await place.rows("SELECT value FROM @meta WHERE key = 'schema'")).toEqual([
      { value: String(VERSION + 1) },
    ]);
  });

  test("gives an old build nothing more to do, lets it finish what it holds, and says so", async () => {
    const place = new Place();
    const store = place.open();
    const hand = await Hand.join(store);
    await hand.commit(start("a", { claim: true }), start("b"));
    await outdate(place);
    const refusals = [rejection(Hand.join(store)), rejection(hand.claim())];
    for (const error of await Promise.all(refusals)) {
      expect(error).toBeInstanceOf(StoreError);
      expect(error.message).toMatch(
        /newer everstep.*update @everstep\/adapters.*what it holds it may finish/,
      );
    }
    expect(await hand.renew()).toMatchObject({ live: true });
    expect(kinds(await hand.commit(advance("a", { entries: [entry(1)] })))).toEqual(["done"]);
    const settle = () => ({ entry: entry(2), settled: [] });
    const body = (): undefined => undefined;
    const transacted = store.transact({ worker: hand.id, runId: "a", attempt: 1, body, settle });
    expect(await transacted).toEqual({ is: "done" });
    expect(kinds(await hand.commit({ ...end("a"), entries: [entry(3)] }))).toEqual(["done"]);
    expect(await store.count({ status: "completed" })).toBe(1);
    expect((await store.read("b"))?.run.owner).toBeNull();
  });

  test("is not opened by an old build, and not changed", async () => {
    const place = new Place();
    await place.open().commit({ writes: [start("a")] });
    await outdate(place);
    for (const migrate of [true, false]) {
      const error = await rejection(place.open({ migrate }).count({}));
      expect(error).toBeInstanceOf(StoreError);
      expect(error.message).toContain(`version ${VERSION + 1}`);
      expect(error.message).toMatch(/newer everstep.*Update @everstep\/adapters.*nothing was changed/);
    }
    expect(await place.rows("SELECT id FROM @runs")).toEqual([{ id: "a" }]);
  });

  test("an old worker completes the run that it holds, takes no other, and its log says why", async () => {
    const place = new Place();
    const complaints: string[] = [];
    const silent = (): void => {};
    const complain = (message: string): unknown => complaints.push(message);
    const logger: Logger = { debug: silent, info: silent, warn: complain, error: complain };
    const { promise: told, resolve: tell } = Promise.withResolvers<void>();
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const order = workflow({ name: "order" }, (ctx, _input: number) =>
      ctx.step("charge", async () => {
        begin();
        await told;
        return "charged";
      }),
    );
    const store = place.open();
    const worker = new Worker({ store, workflows: [order], logger });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    const client = new Client({ store: place.open() });
    const first = await client.start(order, 1);
    await began;
    await outdate(place);
    const second = await client.start(order, 2);
    await eventually("its log says why", () =>
      complaints.some((text) => /newer everstep.*update/.test(text)),
    );
    tell();
    expect(await first.result()).toBe("charged");
    expect((await store.read(second.id))?.run).toMatchObject({ owner: null, attempt: 0 });
    expect(await second.status()).toBe("ready");
  });
});

describe("F125: a schema that was tampered with", () => {
  test("without its functions: that they are missing, and what makes them", async () => {
    const place = new Place();
    const hand = await Hand.join(place.open());
    await place.rows("DROP FUNCTION @claim");
    const error = await rejection(hand.claim());
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/missing or of another version.*schemaSql\(\)/);
  });
});
