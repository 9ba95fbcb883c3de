/**
 * Two or three connections at the points where simpler schemes lose: each is stopped with its locks taken, or behind those of
 * another, and let go on in every order. No test depends on how fast anything is.
 */
import type { Renewal, Write } from "@everstep/core";
import { describe, expect, test } from "vitest";
import {
  advance,
  cancel,
  end,
  entry,
  eventually,
  Hand,
  kinds,
  park,
  rejection,
  signal,
  start,
} from "./hand.ts";
import { HeldPool, type Stopped } from "./postgres/held-pool.ts";
import { Holder, Place, untilBlocks } from "./postgres/place.ts";

/** A worker whose lease is over at once, and another that takes over from it; the calls of both can be stopped. */
interface Pair {
  readonly place: Place;
  readonly victim: Hand;
  readonly victims: HeldPool;
  readonly heir: Hand;
  readonly heirs: HeldPool;
}

/** The victim owns run `a`. */
async function pair(): Promise<Pair> {
  const place = new Place();
  const [victims, heirs] = [new HeldPool(place.url), new HeldPool(place.url)];
  const victim = await Hand.join(place.open({ over: victims.pool }), { leaseMs: 1 });
  const heir = await Hand.join(place.open({ over: heirs.pool }));
  await victim.commit(start("a", { claim: true }));
  return { place, victim, victims, heir, heirs };
}

/** The heir renews until it has judged somebody dead, and is stopped on its way. Answers what that renewal comes to. */
async function judging(heir: Hand, stop: Stopped): Promise<{ readonly renewal: Promise<Renewal> }> {
  let isStopped = false;
  const stopped = stop.reached.then(() => {
    isStopped = true;
  });
  let renewal = heir.renew();
  await eventually("a worker is judged dead", async () => {
    await Promise.race([stopped, renewal]);
    if (!isStopped) renewal = heir.renew();
    return isStopped;
  });
  return { renewal };
}

async function untilReaped(heir: Hand): Promise<void> {
  await eventually("the dead worker is taken over", async () => (await heir.renew()).reaped > 0);
}

describe("P5 F63 S3: a takeover against a batch", () => {
  test("a batch that is under way is let finish, and nobody waits for it", async () => {
    const { victim, victims, heir, heirs } = await pair();
    const batch = victims.uncommitted("commit");
    const written = victim.commit(advance("a", { entries: [entry(1)] }));
    await batch.reached;
    const judged = heirs.before("take_over");
    const { renewal } = await judging(heir, judged);
    judged.goOn();
    expect((await renewal).reaped).toBe(0);
    batch.goOn();
    expect(kinds(await written)).toEqual(["done"]);
    await untilReaped(heir);
    expect(await heir.claim()).toMatchObject([{ run: { attempt: 2 }, journal: [{ seq: 1, attempt: 1 }] }]);
  });

  test("a batch that meets a takeover waits for it, and is fenced; what clients asked for is done", async () => {
    const { place, victim, heir, heirs } = await pair();
    const takeover = heirs.uncommitted("take_over");
    const { renewal } = await judging(heir, takeover);
    const written = victim.commit(
      advance("a", { entries: [entry(1)] }),
      start("b"),
      start("c", { claim: true }),
    );
    await untilBlocks(place.url, await takeover.reached);
    takeover.goOn();
    expect((await renewal).reaped).toBe(1);
    expect(await written).toMatchObject([{ is: "fenced" }, { is: "created" }, { claimed: false }]);
    expect(await heir.store.read("a")).toMatchObject({ run: { owner: null, strikes: 1 }, journal: [] });
  });

  test("a takeover that does not come about leaves the batch to its worker", async () => {
    const { place, victim, heir, heirs } = await pair();
    const takeover = heirs.uncommitted("take_over");
    const { renewal } = await judging(heir, takeover);
    const written = victim.commit(advance("a", { entries: [entry(1)] }));
    await untilBlocks(place.url, await takeover.reached);
    takeover.goBack();
    expect(await renewal).toMatchObject({ live: true, reaped: 0 });
    expect(kinds(await written)).toEqual(["done"]);
  });

  test("F70: a sign of life between the judgement and the takeover saves the worker", async () => {
    const { victim, heir, heirs } = await pair();
    const signs: readonly (() => Promise<unknown>)[] = [() => victim.commit(), () => victim.renew()];
    for (const sign of signs) {
      const judged = heirs.before("take_over");
      const { renewal } = await judging(heir, judged);
      await sign();
      judged.goOn();
      expect((await renewal).reaped).toBe(0);
      expect(kinds(await victim.commit(advance("a")))).toEqual(["done"]);
    }
  });

  test("F65: of two that judge one dead at once, one takes over", async () => {
    const { place, heir, heirs } = await pair();
    const rivals = new HeldPool(place.url);
    const rival = await Hand.join(place.open({ over: rivals.pool }));
    const [one, two] = [heirs.uncommitted("take_over"), rivals.before("take_over")];
    const first = await judging(heir, one);
    const second = await judging(rival, two);
    two.goOn();
    expect((await second.renewal).reaped).toBe(0);
    one.goOn();
    expect((await first.renewal).reaped).toBe(1);
    expect((await rival.renew()).reaped).toBe(0);
    expect((await rival.store.read("a"))?.run.strikes).toBe(1);
  });

  test("a late batch is fenced also when its worker's row was tidied away, and changes no other's number", async () => {
    const { place, victim, heir } = await pair();
    await untilReaped(heir);
    const late = [advance("a", { entries: [entry(1)] }), start("b"), { kind: "leave" }] as const;
    expect(kinds(await victim.commit(...late))).toEqual(["fenced", "created", "fenced"]);
    await place.rows("UPDATE @workers SET expires_at = 1 WHERE NOT live");
    const next = await Hand.join(heir.store);
    expect(await place.rows("SELECT FROM @workers WHERE id = $1", victim.id)).toEqual([]);
    expect(next.id).toBeGreaterThan(heir.id);
    expect(kinds(await victim.commit(...late))).toEqual(["fenced", "exists", "fenced"]);
    expect((await victim.renew()).live).toBe(false);
    expect(kinds(await heir.commit())).toEqual([]);
  });
});

describe("F65 S5: a takeover against a claim", () => {
  test("a claim that is not committed yet is let finish: its runs are freed with the others", async () => {
    const { victim, victims, heir, heirs } = await pair();
    await heir.store.commit({ writes: [start("b")] });
    const claim = victims.uncommitted("claim");
    const claimed = victim.claim();
    await claim.reached;
    const judged = heirs.before("take_over");
    const { renewal } = await judging(heir, judged);
    judged.goOn();
    expect((await renewal).reaped).toBe(0);
    claim.goOn();
    expect(await claimed).toMatchObject([{ run: { id: "b", owner: victim.id } }]);
    await untilReaped(heir);
    const freed = await heir.claim();
    expect(freed.map(({ run }) => [run.id, run.attempt, run.strikes])).toEqual([
      ["a", 2, 1],
      ["b", 2, 1],
    ]);
  });

  test.for([true, false])(
    "P1: a worker that leaves while a claim of its own is under way leaves no run to nobody (busy: %s)",
    async (isBusy) => {
      const { place, victim, victims, heir } = await pair();
      await heir.store.commit({ writes: [start("b")] });
      if (!isBusy) await place.rows("UPDATE @workers SET busy = false");
      const claim = victims.uncommitted("claim");
      const claimed = victim.claim();
      const pid = await claim.reached;
      const left = victim.commit({ kind: "leave" });
      await untilBlocks(place.url, pid);
      claim.goOn();
      expect(await claimed).toMatchObject([{ run: { id: "b" } }]);
      expect(kinds(await left)).toEqual(["done"]);
      expect(await place.rows("SELECT id FROM @runs WHERE owner IS NOT NULL")).toEqual([]);
      expect((await heir.claim()).map(({ run }) => run.id).toSorted()).toEqual(["a", "b"]);
    },
  );

  test("a claim that meets a takeover waits for it, and takes nothing", async () => {
    const { place, victim, heir, heirs } = await pair();
    await heir.store.commit({ writes: [start("b")] });
    const takeover = heirs.uncommitted("take_over");
    const { renewal } = await judging(heir, takeover);
    const claimed = victim.claim();
    await untilBlocks(place.url, await takeover.reached);
    takeover.goOn();
    expect((await renewal).reaped).toBe(1);
    expect(await claimed).toEqual([]);
    expect((await heir.claim()).map(({ run }) => run.id).toSorted()).toEqual(["a", "b"]);
  });
});

describe("F65 S5: two that claim", () => {
  test("neither waits for the other, and each run has one owner", async () => {
    const { place, victim, heir, heirs } = await pair();
    await victim.store.commit({ writes: ["b", "c", "d", "e", "f"].map((id) => start(id)) });
    const claim = heirs.uncommitted("claim");
    const first = heir.claim(2);
    await claim.reached;
    const { claims, nextDueAt, now } = await victim.ask();
    const taken = claims.map(({ run }) => run.id);
    expect(["d", "e", "f"]).toEqual(expect.arrayContaining(taken));
    expect(taken).toContain("f");
    expect(nextDueAt, "those that are locked are looked at again in a moment").toBeLessThan(now + 1_000);
    claim.goOn();
    expect((await first).map(({ run }) => run.id)).toEqual(["b", "c"]);
    await eventually("the rest is claimed", async () => {
      taken.push(...(await victim.claim()).map(({ run }) => run.id));
      return taken.length === 3;
    });
    const owners = await place.rows<{ owner: number }>(
      "SELECT owner::int FROM @runs WHERE id > 'a' ORDER BY id",
    );
    expect(owners.map(({ owner }) => owner)).toEqual([heir.id, heir.id, victim.id, victim.id, victim.id]);
    expect(new Set(taken).size).toBe(3);
  });

  test("what a claim that broke off had taken is there for the next one", async () => {
    const { victim, heir, heirs } = await pair();
    await victim.store.commit({ writes: [start("b")] });
    const claim = heirs.uncommitted("claim");
    const lost = heir.claim();
    await claim.reached;
    expect(await victim.claim()).toEqual([]);
    claim.goBack();
    await rejection(lost);
    await eventually("it is claimed", async () => (await victim.claim()).length > 0);
    expect((await victim.store.read("b"))?.run).toMatchObject({ owner: victim.id, attempt: 1 });
  });

  test("F42: a worker's first claim and its batch lock in one order: neither is a victim of the other", async () => {
    const place = new Place();
    const worker = await Hand.join(place.open());
    await worker.store.commit({ writes: [start("a")] });
    // A batch of the worker that has come as far as its own row, and goes on to a message for run `a`.
    const batch = await Holder.of(place, `SELECT FROM @workers WHERE id = ${worker.id} FOR NO KEY UPDATE`);
    const claimed = worker.claim();
    await batch.untilBlocks();
    await batch.query("SELECT FROM @runs WHERE id = 'a' FOR NO KEY UPDATE NOWAIT");
    await batch.letGo();
    expect(await claimed).toMatchObject([{ run: { id: "a" } }]);
  });
});

describe("P7 F12 F120 S6: a message against a park", () => {
  test("a message that came after the owner looked, and before it parks, keeps the run awake", async () => {
    const { place, victim } = await pair();
    const holder = await Holder.ofRun(place, "a");
    const sent = victim.store.commit({ writes: [signal("a", "1")] });
    await holder.untilBlocks(1);
    const parked = victim.commit(park("a", 0));
    await holder.untilBlocks(2);
    await holder.letGo();
    expect([kinds(await sent), kinds(await parked)]).toEqual([["done"], ["inbox-changed"]]);
    const { run, journal } = (await victim.store.read("a")) ?? {};
    expect([run?.owner, run?.inbox, journal?.length]).toEqual([victim.id, 1, 1]);
  });

  test("a message that is not committed yet when the owner parks keeps the run awake", async () => {
    const { place, victim, heir, heirs } = await pair();
    const message = heirs.uncommitted("commit");
    const sent = heir.store.commit({ writes: [signal("a", "1")] });
    const pid = await message.reached;
    const parked = victim.commit(park("a", 0));
    await untilBlocks(place.url, pid);
    message.goOn();
    expect(kinds(await sent)).toEqual(["done"]);
    expect(kinds(await parked)).toEqual(["inbox-changed"]);
    const { run, journal } = (await victim.store.read("a")) ?? {};
    expect([run?.owner, run?.inbox, journal?.length]).toEqual([victim.id, 1, 1]);
  });

  test("a message that does not come about does not keep the run from parking", async () => {
    const { place, victim, heir, heirs } = await pair();
    const message = heirs.uncommitted("commit");
    const sent = heir.store.commit({ writes: [signal("a", "1")] });
    const pid = await message.reached;
    const parked = victim.commit(park("a", 0));
    await untilBlocks(place.url, pid);
    message.goBack();
    await rejection(sent);
    expect(kinds(await parked)).toEqual(["done"]);
    expect((await victim.store.read("a"))?.run).toMatchObject({ owner: null, dueAt: null, inbox: 0 });
  });

  test("a message that meets a park waits for it, and makes the run due", async () => {
    const { place, victim, victims, heir } = await pair();
    const parking = victims.uncommitted("commit");
    const parked = victim.commit(park("a", 0));
    const pid = await parking.reached;
    const sent = heir.store.commit({ writes: [signal("a", "1")] });
    await untilBlocks(place.url, pid);
    parking.goOn();
    expect([kinds(await parked), kinds(await sent)]).toEqual([["done"], ["done"]]);
    expect(await heir.claim()).toMatchObject([{ run: { id: "a", attempt: 2 }, messages: [{ id: "1" }] }]);
  });

  test("a message to a run that is started while it waits for another is counted, or there is no run", async () => {
    const { place, victim, heir } = await pair();
    const other = await Holder.ofRun(place, "a");
    const sent = heir.store.commit({ writes: [signal("a", "1"), signal("b", "1")] });
    await other.untilBlocks();
    await victim.commit(start("b", { claim: true }));
    // The new run's owner writes, and is not there yet when the message goes on.
    const owner = await Holder.of(place, "UPDATE @runs SET priority = 1 WHERE id = 'b'");
    await other.letGo();
    await Promise.race([sent, owner.untilBlocks()]);
    await owner.letGo();
    const isThere = kinds(await sent)[1] !== "not-found";
    expect(kinds(await heir.store.commit({ writes: [signal("b", "2")] }))).toEqual(["done"]);
    const { run, messages = [] } = (await heir.store.read("b")) ?? {};
    expect([run?.inbox, messages.length]).toEqual(isThere ? [2, 2] : [1, 1]);
  });

  test("S7: the same message from two at once is accepted once, and two are numbered", async () => {
    const { place, victim, victims, heir } = await pair();
    const message = victims.uncommitted("commit");
    const first = victim.store.commit({ writes: [signal("a", "1")] });
    const pid = await message.reached;
    const second = heir.store.commit({ writes: [signal("a", "1"), signal("a", "2")] });
    await untilBlocks(place.url, pid);
    message.goOn();
    expect([kinds(await first), kinds(await second)]).toEqual([["done"], ["duplicate", "done"]]);
    const { run, messages = [] } = (await heir.store.read("a")) ?? {};
    expect([run?.inbox, messages.map(({ no, id }) => [no, id])]).toEqual([
      2,
      [
        [1, "1"],
        [2, "2"],
      ],
    ]);
  });
});

describe("F123 S8: a cancel against the end of a run", () => {
  test("a cancel that meets the end waits for it, and is refused", async () => {
    const { place, victim, victims, heir } = await pair();
    const ending = victims.uncommitted("commit");
    const ended = victim.commit(end("a"));
    const pid = await ending.reached;
    const canceled = heir.store.commit({ writes: [cancel("a", "1")] });
    await untilBlocks(place.url, pid);
    ending.goOn();
    expect(kinds(await ended)).toEqual(["done"]);
    expect(await canceled).toEqual([{ is: "ended", status: "completed" }]);
    expect((await heir.store.read("a"))?.run).toMatchObject({ end: "completed", inbox: 0 });
  });

  test("an end that meets a cancel waits for it, and is the one end of the run", async () => {
    const { place, victim, heir, heirs } = await pair();
    const canceling = heirs.uncommitted("commit");
    const canceled = heir.store.commit({ writes: [cancel("a", "1")] });
    const pid = await canceling.reached;
    const ended = victim.commit(end("a"));
    await untilBlocks(place.url, pid);
    canceling.goOn();
    expect([kinds(await canceled), kinds(await ended)]).toEqual([["done"], ["done"]]);
    expect((await heir.store.read("a"))?.run).toMatchObject({ end: "completed", inbox: 1 });
    expect(kinds(await victim.commit(end("a")))).toEqual(["fenced"]);
  });

  test("F124: two persons who resume one run at once: one entry, and one is told the state", async () => {
    const { place, victim, heir, heirs } = await pair();
    const stick = { do: "stick", stuck: { code: "BUG", message: '"x"', at: 1 } } as const;
    await victim.commit(advance("a", { then: stick }));
    const resume = (id: string): Write => ({
      kind: "operate",
      runId: "a",
      operation: "resume",
      id,
      value: "1",
    });
    const resuming = heirs.uncommitted("commit");
    const first = heir.store.commit({ writes: [resume("1")] });
    const pid = await resuming.reached;
    const second = victim.store.commit({ writes: [resume("2")] });
    const again = victim.store.commit({ writes: [resume("1")] });
    await untilBlocks(place.url, pid, 2);
    resuming.goOn();
    expect(await first).toEqual([{ is: "done" }]);
    expect(await second).toEqual([{ is: "wrong-state", status: "ready" }]);
    expect(await again).toEqual([{ is: "done" }]);
    expect((await heir.store.read("a"))?.journal.map(({ kind, key }) => [kind, key])).toEqual([
      ["resume", "1"],
    ]);
  });
});
