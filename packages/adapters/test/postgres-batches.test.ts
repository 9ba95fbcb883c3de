/** S1, S2, F1, F42: the same batch twice, the same run twice, and the order in which rows are locked. */
import { describe, expect, test } from "vitest";
import { advance, entry, Hand, kinds, rejection, signal, start } from "./hand.ts";
import { HeldPool } from "./postgres/held-pool.ts";
import { Holder, Place, untilBlocks } from "./postgres/place.ts";
import { TcpProxy } from "@everstep/postgres-server/tcp-proxy";

/** A worker that owns run `a`, and its store a second time, over other connections. */
async function setUp(): Promise<{
  readonly place: Place;
  readonly worker: Hand;
  readonly pool: HeldPool;
  readonly twin: ReturnType<Place["open"]>;
}> {
  const place = new Place();
  const pool = new HeldPool(place.url);
  const worker = await Hand.join(place.open({ over: pool.pool }));
  await worker.commit(start("a", { claim: true }));
  return { place, worker, pool, twin: place.open() };
}

describe("F38 S2: one batch number, sent twice at once", () => {
  const writes = [advance("a", { entries: [entry(1)] }), signal("a", "1"), start("b"), signal("nobody", "1")];

  test("the second waits for the first, changes nothing and answers the same", async () => {
    const { place, worker, pool, twin } = await setUp();
    const stopped = pool.uncommitted("commit");
    const first = worker.send(2, writes);
    const pid = await stopped.reached;
    const second = worker.send(2, writes, twin);
    await untilBlocks(place.url, pid);
    stopped.goOn();
    expect(await second).toEqual(await first);
    expect(kinds(await first)).toEqual(["done", "done", "created", "not-found"]);
    expect(await twin.read("a")).toMatchObject({ run: { inbox: 1 }, journal: [{ seq: 1 }] });
  });

  test("when the first breaks off, the second does it", async () => {
    const { place, worker, pool, twin } = await setUp();
    const stopped = pool.uncommitted("commit");
    const first = worker.send(2, writes);
    const pid = await stopped.reached;
    const second = worker.send(2, writes, twin);
    await untilBlocks(place.url, pid);
    stopped.goBack();
    await rejection(first);
    expect(kinds(await second)).toEqual(["done", "done", "created", "not-found"]);
    expect(await twin.read("a")).toMatchObject({ run: { inbox: 1 }, journal: [{ seq: 1 }] });
  });

  test("F38: a batch whose connection broke while it waits in the server is answered when it is sent again", async () => {
    const place = new Place();
    const proxy = await TcpProxy.start({ port: Number(new URL(place.url).port) });
    const worker = await Hand.join(place.open());
    await worker.commit(start("a", { claim: true }));
    const url = new URL(place.url);
    url.port = String(proxy.port);
    const far = place.open({ over: url.href });
    const holder = await Holder.ofRun(place, "a");
    const lost = worker.send(2, writes, far);
    await holder.untilBlocks(1);
    proxy.cut();
    await rejection(lost);
    const again = worker.send(2, writes);
    await holder.untilBlocks(2);
    await holder.letGo();
    expect(kinds(await again)).toEqual(["done", "done", "created", "not-found"]);
    expect(await worker.store.read("a")).toMatchObject({ run: { inbox: 1 }, journal: [{ seq: 1 }] });
    await proxy.close();
  });

  test("batches of one worker that are sent at once over one store come in their order", async () => {
    const { worker, pool } = await setUp();
    const stopped = pool.before("commit");
    const batches = [2, 3, 4].map((no) => worker.send(no, [advance("a", { entries: [entry(no - 1)] })]));
    await stopped.reached;
    stopped.goOn();
    for (const batch of batches) expect(kinds(await batch)).toEqual(["done"]);
    expect((await worker.store.read("a"))?.journal.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });
});

describe("F1: one id, started twice at once", () => {
  for (const [how, input, expected] of [
    ["with the same input", "1", { is: "exists" }],
    ["with another input", "2", { is: "conflict", workflow: "order" }],
  ] as const) {
    test(`${how}: the second waits, and is told`, async () => {
      const { place, worker, pool, twin } = await setUp();
      const stopped = pool.uncommitted("commit");
      const first = worker.store.commit({ writes: [start("b")] });
      const pid = await stopped.reached;
      const second = twin.commit({ writes: [start("b", { inputHash: input }), start("c")] });
      await untilBlocks(place.url, pid);
      stopped.goOn();
      expect(await first).toMatchObject([{ is: "created" }]);
      expect(await second).toMatchObject([expected, { is: "created" }]);
    });
  }

  test("when the first breaks off, the second creates it", async () => {
    const { place, worker, pool, twin } = await setUp();
    const stopped = pool.uncommitted("commit");
    const first = worker.store.commit({ writes: [start("b")] });
    const pid = await stopped.reached;
    const second = twin.commit({ writes: [start("b", { inputHash: "2" })] });
    await untilBlocks(place.url, pid);
    stopped.goBack();
    await rejection(first);
    expect(await second).toMatchObject([{ is: "created" }]);
  });
});

describe("F42: rows are locked in the order of the ids of their runs, whatever the order of the writes", () => {
  /** What is locked already while run `a` is waited for. */
  async function whileWaitingForA(place: Place, waits: () => Promise<unknown>): Promise<void> {
    const holder = await Holder.ofRun(place, "a");
    const waiting = waits();
    await holder.untilBlocks();
    await holder.query("SELECT FROM @runs WHERE id = 'b' FOR NO KEY UPDATE NOWAIT");
    await holder.letGo();
    await waiting;
  }

  test("messages", async () => {
    const { place, twin } = await setUp();
    await twin.commit({ writes: [start("b")] });
    await whileWaitingForA(place, () => twin.commit({ writes: [signal("b", "1"), signal("a", "1")] }));
  });

  test("advances and messages of one batch", async () => {
    const { place, worker, twin } = await setUp();
    await worker.commit(start("b", { claim: true }));
    await whileWaitingForA(place, () => worker.commit(advance("b"), signal("a", "1")));
    await whileWaitingForA(place, () => worker.commit(advance("b"), advance("a")));
    await whileWaitingForA(place, () =>
      worker.commit(advance("b"), advance("b", { entries: [entry(1)] }), advance("a")),
    );
    expect((await twin.read("b"))?.journal.length).toBe(1);
  });

  test("what persons order", async () => {
    const { place, worker, twin } = await setUp();
    const stick = { do: "stick", stuck: { code: "BUG", message: '"x"', at: 1 } } as const;
    await worker.commit(
      start("b", { claim: true }),
      advance("b", { then: stick }),
      advance("a", { then: stick }),
    );
    const resume = (runId: string) =>
      ({ kind: "operate", runId, operation: "resume", id: "1", value: "1" }) as const;
    await whileWaitingForA(place, () => twin.commit({ writes: [resume("b"), resume("a")] }));
  });

  test("a takeover, and a worker that leaves", async () => {
    const place = new Place();
    const worker = await Hand.join(place.open(), { leaseMs: 1 });
    // In the index of owners b comes before a.
    await worker.commit(start("b", { claim: true }));
    await worker.commit(start("a", { claim: true }));
    const heir = await Hand.join(place.open());
    await whileWaitingForA(place, async () => {
      while ((await heir.renew()).reaped === 0);
    });
    await heir.claim();
    await whileWaitingForA(place, () => heir.commit({ kind: "leave" }));
  });
});
