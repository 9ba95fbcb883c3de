/**
 * F38, F39: the connection breaks while a call is under way. Whether the server has executed it is then unknown, and both are tried for
 * each call: what was executed is not done again, and what was not is done.
 */
import { type Outcome, type Store, StoreUnavailableError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import type { PostgresTx } from "../src/postgres/index.ts";
import { ignore } from "../src/postgres/connections.ts";
import { Bed } from "./postgres/bed.ts";
import { advance, end, entry, eventually, Hand, kinds, rejection, start } from "./hand.ts";
import { born, LOST_WRITES } from "./postgres/lost-writes.ts";
import { Orders } from "./postgres/orders.ts";
import type { Matcher, TcpProxy } from "@everstep/postgres-server/tcp-proxy";

/** The prepared statement that calls this function: its name is in each of its requests. */
const callOf = (fn: string): Matcher => ` ${fn}\0`;
/** Commits of one plain write have functions of their own. */
const COMMITS = [" commit\0", " begin_run\0", " append\0", " finish\0"];
const isCommit = (request: Buffer): boolean => COMMITS.some((name) => request.includes(name));

type Fate = "executed" | "lost";
const FATES: readonly Fate[] = ["executed", "lost"];

/** Settles once the connection was cut. */
function cutAt(proxy: TcpProxy, matcher: Matcher, fate: Fate): Promise<void> {
  return fate === "executed" ? proxy.dropReplyOf(matcher) : proxy.dropRequest(matcher);
}

/** All that may be there twice. */
async function stateOf(store: Store): Promise<unknown> {
  const { runs } = await store.list({}, { limit: 10, order: "oldest" });
  const workflows = await store.workflows();
  return {
    runs: await Promise.all(runs.map(({ id }) => runOf(store, id))),
    events: (await store.events({ limit: 10 })).map((event) => ({ ...event, at: 0 })),
    paused: workflows.map(({ name, paused }) => [name, paused?.note]),
    outbox: (await store.takeOutbox({ limit: 10, forMs: 0 })).map(({ id }) => id),
  };
}

async function runOf(store: Store, runId: string): Promise<unknown> {
  const details = await store.read(runId);
  if (details === undefined) return undefined;
  const { run, journal, messages } = details;
  return {
    run: {
      ...run,
      createdAt: 0,
      startedAt: 0,
      endedAt: 0,
      dueAt: run.dueAt === null,
      paused: run.paused?.note,
    },
    journal: journal.map((each) => ({ ...each, at: 0 })),
    messages: messages.map((each) => ({ ...each, at: 0 })),
  };
}

describe("F38: a batch whose answer is lost is sent again", () => {
  for (const [what, { before, write, isLeased, first, again }] of Object.entries(LOST_WRITES)) {
    const play = async (fate?: Fate): Promise<{ readonly state: unknown; readonly outcome?: Outcome }> => {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const hand = await Hand.join(bed.open({ via: proxy }));
      for (const each of before) await hand.commit(each);
      const send = (): Promise<readonly Outcome[]> =>
        isLeased ? hand.send(hand.batch + 1, [write]) : hand.store.commit({ writes: [write] });
      if (fate !== undefined) {
        const cut = cutAt(proxy, isCommit, fate);
        expect(await rejection(send())).toBeInstanceOf(StoreUnavailableError);
        await cut;
      }
      const [outcome] = await send();
      const state = await stateOf(bed.open());
      await bed.untilQuiet();
      return outcome === undefined ? { state } : { state, outcome };
    };

    test(`${what}: executed or lost, it comes to the same`, async () => {
      const [unharmed, executed, lost] = [await play(), await play("executed"), await play("lost")];
      expect([unharmed.outcome?.is, lost.outcome?.is]).toEqual([first, first]);
      expect(executed.outcome?.is).toBe(again);
      expect(executed.state).toEqual(unharmed.state);
      expect(lost.state).toEqual(unharmed.state);
    });
  }

  test("also when its worker is dead by then: what was applied was applied", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const hand = await Hand.join(bed.open({ via: proxy }));
    await hand.commit(born);
    const cut = proxy.dropReplyOf(isCommit);
    await rejection(hand.send(2, [end("a"), start("b", { claim: true })]));
    await cut;
    await bed.place.rows("UPDATE @workers SET live = false");
    expect(kinds(await hand.send(2, [end("a"), start("b", { claim: true })]))).toEqual(["done", "created"]);
    expect(kinds(await hand.send(3, [advance("b", { entries: [entry(1)] })]))).toEqual(["fenced"]);
  });
});

describe("F39: other calls whose answer is lost", () => {
  test("claim: the lost runs are told at the renewal, and go on without a strike", async () => {
    for (const fate of FATES) {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const hand = await Hand.join(bed.open({ via: proxy }));
      await hand.store.commit({ writes: [start("a"), start("b")] });
      const cut = cutAt(proxy, callOf("claim"), fate);
      expect(await rejection(hand.claim())).toBeInstanceOf(StoreUnavailableError);
      await cut;
      const claimed = await hand.claim();
      expect(claimed.map(({ run }) => run.id)).toEqual(fate === "lost" ? ["a", "b"] : []);
      const owned = (await hand.renew()).owned?.map(({ runId, attempt }) => `${runId} ${attempt}`);
      expect(owned?.toSorted()).toEqual(["a 1", "b 1"]);
      const then = { do: "release", interrupted: true } as const;
      await hand.commit(advance("a", { then }), advance("b", { then }));
      expect((await hand.claim()).map(({ run }) => [run.id, run.attempt, run.strikes])).toEqual([
        ["a", 2, 0],
        ["b", 2, 0],
      ]);
    }
  });

  test("join: it joins again, and the worker that nobody is gets taken over", async () => {
    for (const fate of FATES) {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const store = bed.open({ via: proxy });
      const cut = cutAt(proxy, callOf("join_worker"), fate);
      expect(await rejection(Hand.join(store))).toBeInstanceOf(StoreUnavailableError);
      await cut;
      let hand: Hand<PostgresTx> | undefined;
      await eventually("it joins", () =>
        Hand.join(store).then(
          (joined) => (hand = joined) !== undefined,
          (error: unknown) => {
            expect(error).toBeInstanceOf(StoreUnavailableError);
            return false;
          },
        ),
      );
      const other = await Hand.join(bed.open());
      let reaped = 0;
      const expected = fate === "executed" ? 1 : 0;
      await eventually("the ghost is dead", async () => {
        reaped += (await other.renew()).reaped;
        const live = await bed.place.rows("SELECT id FROM @workers WHERE live");
        return live.length === 2;
      });
      expect(reaped).toBe(expected);
      expect((await hand?.renew())?.live).toBe(true);
    }
  });

  test("renew: the worker stays alive, over another connection at once", async () => {
    for (const fate of FATES) {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const hand = await Hand.join(bed.open({ via: proxy }), { leaseMs: 900 });
      const cut = cutAt(proxy, callOf("renew"), fate);
      expect((await hand.renew()).live).toBe(true);
      await cut;
      const since = performance.now();
      await eventually("it outlives its lease twice", async () => {
        expect(await hand.renew()).toMatchObject({ live: true });
        return performance.now() - since > 1_800;
      });
    }
  });

  test("take_over: the dead worker's runs get one strike, and are due", async () => {
    for (const fate of FATES) {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const victim = await Hand.join(bed.open(), { leaseMs: 300 });
      await victim.commit(born);
      const heir = await Hand.join(bed.open({ via: proxy }));
      const cut = cutAt(proxy, callOf("take_over"), fate);
      await eventually("the victim's run is free", async () => {
        await heir.renew().catch((error: unknown) => expect(error).toBeInstanceOf(StoreUnavailableError));
        return (await heir.store.read("a"))?.run.owner === null;
      });
      await cut;
      expect((await heir.claim()).map(({ run }) => [run.id, run.attempt, run.strikes])).toEqual([
        ["a", 2, 1],
      ]);
    }
  });

  test("transact: the rows and the entry are there once, whichever exchange it was", async () => {
    for (const [exchange, bodies] of [
      ["BEGIN ISOLATION", 1],
      ["open_transact", 1],
      ["INSERT INTO", 2],
      ["settle_transact", 2],
    ] as const) {
      for (const fate of FATES) {
        const bed = new Bed();
        const proxy = await bed.proxy();
        const hand = await Hand.join(bed.open({ via: proxy }));
        await hand.commit(born);
        await bed.place.rows("CREATE TABLE @bookings (run text)");
        const cut = cutAt(proxy, exchange, fate);
        let calls = 0;
        const answer = await hand.store.transact({
          worker: hand.id,
          runId: "a",
          attempt: 1,
          body: async (db) => {
            calls += 1;
            await db.query(`INSERT INTO ${bed.place.quoted}.bookings VALUES ('a')`, []);
          },
          settle: () => ({ entry: entry(1), settled: [] }),
        });
        await cut;
        expect([exchange, fate, answer.is]).toEqual([exchange, fate, "done"]);
        const wasDone = exchange === "settle_transact" && fate === "executed";
        expect([exchange, fate, calls]).toEqual([exchange, fate, wasDone ? 1 : bodies]);
        expect(await bed.place.rows("SELECT run FROM @bookings")).toHaveLength(1);
        expect((await hand.store.read("a"))?.journal).toHaveLength(1);
        await bed.untilQuiet();
      }
    }
  });
});

describe("F38 F39: a worker whose connections break", () => {
  const isWrite = (request: Buffer): boolean => isCommit(request) || request.includes("settle_transact");

  for (const fate of FATES) {
    test(`at the nth write of a run (${fate}): each run completes, and nothing is done twice`, async () => {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const orders = await Orders.open(bed, bed.open({ via: proxy }));
      let nth = 0;
      for (let wasCut = true; wasCut; ) {
        nth += 1;
        wasCut = false;
        let seen = 0;
        const cut = cutAt(proxy, (request) => isWrite(request) && ++seen === nth, fate);
        cut.then(() => (wasCut = true), ignore);
        await orders.start(1);
        await orders.results();
        proxy.disarm();
      }
      // Its birth, an entry, the transaction, and the last entry with its end.
      expect(nth).toBeGreaterThan(4);
      await orders.allWell();
    });

    test(`at a claim (${fate}): the runs are found to be its own, and go on`, async () => {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const orders = await Orders.open(bed, bed.open({ via: proxy }));
      const afar = new Orders(bed, bed.open());
      // A claim that finds nothing may come in between: again, until one was hit that had found something.
      for (let hit = false; !hit; ) {
        const cut = cutAt(proxy, callOf("claim"), fate);
        await afar.start(3);
        orders.started.splice(0, Infinity, ...afar.started);
        await cut;
        await orders.results();
        const attempts = await bed.place.rows<{ attempt: string }>("SELECT attempt FROM @runs");
        hit = fate === "lost" || attempts.some(({ attempt }) => attempt === "2");
      }
      await orders.allWell({ claims: 2 });
    });

    test(`at any request of its first moments (${fate}): it begins all the same`, async () => {
      for (const request of ["'fsync'", "to_regclass", "join_worker", "LISTEN", "pg_notify", "renew"]) {
        const bed = new Bed();
        const proxy = await bed.proxy();
        const cut = cutAt(proxy, request, fate);
        const orders = await Orders.open(bed, bed.open({ via: proxy }));
        await orders.start(1);
        await orders.allWell();
        await cut;
      }
    });
  }
});
