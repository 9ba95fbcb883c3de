/** S6, S11, S12, S13, S14: what is done to several runs at once, stopped with its locks taken, and met by what needs the same rows. */
import type { Claim, MendWrite, Outcome, PurgeWrite, Write } from "@everstep/core";
import { describe, expect, test } from "vitest";
import {
  advance,
  call,
  cancel,
  emit,
  end,
  entry,
  eventually,
  Hand,
  kinds,
  ORDER,
  signal,
  start,
} from "./hand.ts";
import { HeldPool } from "./postgres/held-pool.ts";
import { Place, untilBlocks } from "./postgres/place.ts";

interface Family {
  readonly place: Place;
  /** Owns the parent `p`. */
  readonly parent: Hand;
  readonly parents: HeldPool;
  /** Owns its children `p/1` and `p/2`, for which it waits. */
  readonly children: Hand;
  readonly childrens: HeldPool;
}

async function family(): Promise<Family> {
  const place = new Place();
  const [parents, childrens] = [new HeldPool(place.url), new HeldPool(place.url)];
  const parent = await Hand.join(place.open({ over: parents.pool }));
  const children = await Hand.join(place.open({ over: childrens.pool }));
  await parent.commit(start("p", { claim: true }));
  await parent.commit(
    advance("p", { entries: [entry(1), entry(2)], sends: [call(1, "p/1"), call(2, "p/2")] }),
  );
  expect((await children.claim()).map(({ run }) => run.id)).toEqual(["p/1", "p/2"]);
  return { place, parent, parents, children, childrens };
}

const parking = (inbox: number): Write =>
  advance("p", { then: { do: "park", dueAt: null, inbox, waits: [] } });

/** The first is stopped before its commit, the second waits for it, and both are let go. */
async function oneAfterTheOther(
  { url }: Place,
  [pool, first]: readonly [HeldPool, () => Promise<readonly Outcome[]>],
  second: () => Promise<readonly Outcome[]>,
): Promise<readonly (readonly string[])[]> {
  const stopped = pool.uncommitted("commit");
  const one = first();
  const pid = await stopped.reached;
  const two = second();
  await untilBlocks(url, pid);
  stopped.goOn();
  return [kinds(await one), kinds(await two)];
}

async function inboxOf(hand: Hand, runId: string): Promise<readonly unknown[]> {
  const { run, messages = [] } = (await hand.store.read(runId)) ?? {};
  return [run?.inbox, messages.map(({ no, type, id }) => `${no} ${type} ${id}`)];
}

describe("S6 S12: the end of a child beside its parent", () => {
  test("a parent that parks waits for the end, and is not parked", async () => {
    const { place, parent, children, childrens } = await family();
    const answers = await oneAfterTheOther(place, [childrens, () => children.commit(end("p/1"))], () =>
      parent.commit(parking(0)),
    );
    expect(answers).toEqual([["done"], ["inbox-changed"]]);
    expect(await inboxOf(parent, "p")).toEqual([1, ["1 child p/1"]]);
  });

  test("an end waits for the parent that parks, and makes it due", async () => {
    const { place, parent, parents, children } = await family();
    const answers = await oneAfterTheOther(place, [parents, () => parent.commit(parking(0))], () =>
      children.commit(end("p/1")),
    );
    expect(answers).toEqual([["done"], ["done"]]);
    const claims = await children.claim();
    expect(claims.map(({ run, messages }) => [run.id, messages.length])).toEqual([["p", 1]]);
  });

  test("two children that end in two transactions are told one after the other", async () => {
    const { place, parent, children, childrens } = await family();
    await children.commit(advance("p/2", { then: { do: "release" } }));
    const third = await Hand.join(place.open());
    expect((await third.claim()).map(({ run }) => run.id)).toEqual(["p/2"]);
    const ending = advance("p/2", { attempt: 2, then: { do: "end", status: "failed", error: '"x"' } });
    const answers = await oneAfterTheOther(place, [childrens, () => children.commit(end("p/1"))], () =>
      third.commit(ending),
    );
    expect(answers).toEqual([["done"], ["done"]]);
    expect(await inboxOf(parent, "p")).toEqual([2, ["1 child p/1", "2 child p/2"]]);
  });

  test("F42: a parent that cancels its child while that ends: no deadlock, whoever is first", async () => {
    for (const first of ["parent", "child"] as const) {
      const { place, parent, parents, children, childrens } = await family();
      const message = { type: "cancel", id: "c", name: "", payload: "1" } as const;
      const sends = [{ kind: "message", seq: 3, runId: "p/1", message }] as const;
      const canceling = (): Promise<readonly Outcome[]> =>
        parent.commit(advance("p", { entries: [entry(3)], sends }));
      const ending = (): Promise<readonly Outcome[]> => children.commit(end("p/1"));
      const answers = await (first === "parent"
        ? oneAfterTheOther(place, [parents, canceling], ending)
        : oneAfterTheOther(place, [childrens, ending], canceling));
      expect(answers).toEqual([["done"], ["done"]]);
      const journal = (await parent.store.read("p"))?.journal ?? [];
      expect(journal.at(-1)?.error).toBe(first === "parent" ? undefined : "ended completed");
      expect(await inboxOf(parent, "p")).toEqual([1, ["1 child p/1"]]);
    }
  });
});

describe("S12: beginning to wait beside an end", () => {
  const calling = (hand: Hand): Promise<readonly Outcome[]> =>
    hand.commit(advance("q", { entries: [entry(1)], sends: [call(1, "p/1")] }));

  test("who begins to wait meanwhile waits for the end, and is told at once", async () => {
    const { place, parent, children, childrens } = await family();
    await parent.commit(start("q", { claim: true }));
    const answers = await oneAfterTheOther(place, [childrens, () => children.commit(end("p/1"))], () =>
      calling(parent),
    );
    expect(answers).toEqual([["done"], ["done"]]);
    expect(await inboxOf(parent, "q")).toEqual([1, ["1 child p/1"]]);
  });

  test("an end waits for who begins to wait, and tells all", async () => {
    const { place, parent, parents, children } = await family();
    await parent.commit(start("q", { claim: true }));
    const answers = await oneAfterTheOther(place, [parents, () => calling(parent)], () =>
      children.commit(end("p/1")),
    );
    expect(answers).toEqual([["done"], ["done"]]);
    for (const id of ["p", "q"]) expect(await inboxOf(parent, id)).toEqual([1, ["1 child p/1"]]);
  });
});

test("S13: one event that two emit at once starts each run once", async () => {
  const { place, parent, parents, children } = await family();
  await Hand.join(place.open(), { workflows: [{ ...ORDER, name: "mail", on: "sent" }] });
  const emitting = (hand: Hand, payload: string): Promise<readonly Outcome[]> =>
    hand.store.commit({ writes: [{ kind: "emit", event: emit(1, "1", payload).event }] });
  const stopped = parents.uncommitted("commit");
  const first = emitting(parent, "1");
  const pid = await stopped.reached;
  const [same, other] = [emitting(children, "1"), emitting(children, "2")];
  await untilBlocks(place.url, pid, 2);
  stopped.goOn();
  const runs = ["sent/1/mail"];
  expect(await first).toEqual([{ is: "emitted", runs, again: false }]);
  expect(await same).toEqual([{ is: "emitted", runs, again: true }]);
  expect(await other).toEqual([{ is: "conflict", workflow: "" }]);
  expect(await parent.store.count({ workflow: "mail" })).toBe(1);
});

describe("S14: a repair beside a worker", () => {
  const repair: MendWrite = {
    kind: "mend",
    runId: "p",
    attempt: 1,
    length: 2,
    entries: [entry(3, { kind: "reset", key: "1" })],
    then: "due",
  };

  test("a repair that meets a claim waits for it, and changes nothing", async () => {
    const { place, parent, children, childrens } = await family();
    await parent.commit(advance("p", { then: { do: "release" } }));
    const claim = childrens.uncommitted("claim");
    const claimed = children.claim();
    const pid = await claim.reached;
    const mended = parent.store.commit({ writes: [repair] });
    await untilBlocks(place.url, pid);
    claim.goOn();
    expect((await claimed).length).toBe(1);
    expect(await mended).toEqual([{ is: "changed", status: "running" }]);
    expect((await parent.store.read("p"))?.journal.length).toBe(2);
  });

  test("a claim takes a run as it was repaired, or not yet", async () => {
    const { parent, parents, children } = await family();
    await parent.commit(advance("p", { then: { do: "release" } }));
    const stopped = parents.uncommitted("commit");
    const mended = parent.store.commit({ writes: [repair] });
    await stopped.reached;
    expect(await children.claim()).toEqual([]);
    stopped.goOn();
    expect(kinds(await mended)).toEqual(["done"]);
    const claims: Claim[] = [];
    await eventually("it is claimed", async () => claims.push(...(await children.claim())) > 0);
    expect(claims.map(({ journal }) => journal.length)).toEqual([3]);
  });
});

describe("S7 S8: a purge beside others", () => {
  const purge: PurgeWrite = { kind: "purge", runId: "p" };

  async function ended(): Promise<Family> {
    const all = await family();
    await all.children.commit(end("p/1"), end("p/2"));
    const entries = [entry(3)];
    await all.parent.commit(advance("p", { entries, then: { do: "end", status: "completed" } }));
    return all;
  }

  test.for<readonly [what: string, write: Write, answer: Outcome]>([
    ["a message waits for it, and finds nobody", signal("p/1", "1"), { is: "not-found" }],
    ["a cancel as well", cancel("p", "1"), { is: "not-found" }],
    ["an id that is started meanwhile is taken", start("p"), { is: "exists" }],
    ["by whom it was", start("p", { inputHash: "2" }), { is: "conflict", workflow: "order" }],
    ["a second purge finds nothing", purge, { is: "not-found" }],
    ["nobody can repair it any more", { ...mendOf("p"), phase: "forward" }, { is: "not-found" }],
  ])("%s", async ([, write, answer]) => {
    const { place, parent, parents, children } = await ended();
    const stopped = parents.uncommitted("commit");
    const purged = parent.store.commit({ writes: [purge] });
    const pid = await stopped.reached;
    const met = children.store.commit({ writes: [write] });
    await untilBlocks(place.url, pid);
    stopped.goOn();
    expect(await purged).toEqual([{ is: "done" }]);
    expect(await met).toEqual([answer]);
    expect(await parent.store.count({})).toBe(0);
    for (const table of ["journal", "messages", "waiters", "retries", "tags"])
      expect([table, ...(await place.rows(`SELECT 1 FROM @${table}`))]).toEqual([table]);
  });

  function mendOf(runId: string): MendWrite {
    const entries = [entry(4, { kind: "reset", key: "1" })] as const;
    return { kind: "mend", runId, attempt: 1, length: 3, entries, then: "due" };
  }

  test("it waits for a repair that makes a child go on, and purges nothing", async () => {
    const { place, parent, parents, children } = await ended();
    const entries = [entry(2, { kind: "reset", key: "1" })] as const;
    const repair: Write = { ...mendOf("p/1"), length: 1, entries, phase: "forward" };
    const answers = await oneAfterTheOther(
      place,
      [parents, () => parent.store.commit({ writes: [repair] })],
      () => children.store.commit({ writes: [purge] }),
    );
    expect(answers).toEqual([["done"], ["wrong-state"]]);
    expect(await parent.store.count({})).toBe(3);
  });
});
