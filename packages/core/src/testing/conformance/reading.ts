import assert from "node:assert/strict";
import { statusOf } from "../../engine/status.ts";
import type { PageRequest, RunFilter, RunStatus } from "../../store.ts";
import type { Bench, Cases } from "./bench.ts";
import {
  advance,
  end,
  entries,
  FAR_AWAY,
  ORDER,
  park,
  pause,
  sendStart,
  signal,
  start,
  stick,
} from "./writes.ts";

const STATUSES: readonly RunStatus[] = [
  ...(["ready", "running", "waiting", "compensating", "stuck", "completed", "failed", "canceled"] as const),
];

/** One run of each status at least, named by it; `-2` for the second way of being in it. */
async function oneOfEach(bench: Bench): Promise<string[]> {
  const worker = await bench.join();
  await worker.bear("running", "waiting", "compensating", "stuck", "completed", "failed", "canceled");
  await worker.bear("waiting-2", "compensating-2", "stuck-2", "ready-2");
  await worker.commit(
    advance({ runId: "waiting", attempt: 1 }, { then: park(0) }),
    advance({ runId: "waiting-2", attempt: 1 }, { then: park(0, { dueAt: FAR_AWAY }) }),
    advance({ runId: "compensating", attempt: 1 }, { phase: "closing" }),
    advance({ runId: "compensating-2", attempt: 1 }, { phase: "compensating", then: park(0) }),
    advance({ runId: "stuck", attempt: 1 }, { then: stick() }),
    advance({ runId: "stuck-2", attempt: 1 }, { phase: "compensating", then: stick() }),
    advance({ runId: "ready-2", attempt: 1 }, { then: park(0, { dueAt: 1 }) }),
    ...(["completed", "failed", "canceled"] as const).map((status) =>
      advance({ runId: status, attempt: 1 }, { then: end(status) }),
    ),
  );
  await bench.commit(start("ready"));
  return [...STATUSES, "waiting-2", "compensating-2", "stuck-2", "ready-2"].toSorted();
}

const PAGES_MAX = 50;

/** All pages, one after the other. */
async function pages(bench: Bench, filter: RunFilter, page: PageRequest): Promise<string[][]> {
  const all: string[][] = [];
  for (let after: string | null | undefined; after !== null; ) {
    assert.ok(all.length < PAGES_MAX, "the last page says that it is the last");
    const { runs, next } = await bench.store.list(filter, after === undefined ? page : { ...page, after });
    all.push(runs.map(({ id }) => id));
    after = next;
  }
  return all;
}

async function ids(bench: Bench, filter: RunFilter): Promise<string[]> {
  const found = (await pages(bench, filter, { limit: 100 })).flat().toSorted();
  assert.equal(await bench.store.count(filter), found.length, `count(${JSON.stringify(filter)}) agrees`);
  return found;
}

const ALL = { endedSince: 0, createdSince: 0 };

export const reading: Cases = {
  "every status can be listed, counted and is what `statusOf` says": async (bench) => {
    const all = await oneOfEach(bench);
    assert.deepEqual(await ids(bench, {}), all);
    for (const status of STATUSES) {
      const { runs, now } = await bench.store.list({ status }, { limit: 100 });
      for (const run of runs) assert.equal(statusOf(run, now), status, run.id);
      assert.deepEqual(
        await ids(bench, { status }),
        all.filter((id) => id.split("-")[0] === status),
      );
    }
  },

  "several statuses are the union, none is nothing": async (bench) => {
    await oneOfEach(bench);
    const status: RunStatus[] = ["stuck", "failed"];
    assert.deepEqual(await ids(bench, { status }), ["failed", "stuck", "stuck-2"]);
    const page = { limit: 1, order: "oldest" } as const;
    assert.deepEqual((await pages(bench, { status }, page)).flat().toSorted(), [
      "failed",
      "stuck",
      "stuck-2",
    ]);
    const newest = (await pages(bench, { status }, { limit: 2 })).flat();
    assert.deepEqual(newest, (await pages(bench, { status }, page)).flat().toReversed());
    const more: RunStatus[] = ["waiting", "canceled", "ready"];
    const found = await ids(bench, { status: more, workflow: "order" });
    assert.deepEqual(found, ["canceled", "ready", "ready-2", "waiting", "waiting-2"]);
    assert.deepEqual(await ids(bench, { status: [] }), []);
  },

  "F117: a run that waits for an instant is ready when that has come": async (bench) => {
    await bench.commit(start("a", { due: { inMs: 100 } }));
    await bench.eventually("the run is ready", async () => {
      const { runs } = await bench.store.list({ status: ["waiting", "ready"] }, { limit: 1 });
      const waiting = await bench.store.list({ status: "waiting" }, { limit: 1 });
      const isDue = (runs[0]?.dueAt ?? 0) <= waiting.now;
      assert.equal(waiting.runs.length, isDue ? 0 : 1);
      if (!isDue) await bench.pass(50);
      return isDue;
    });
    assert.deepEqual(await ids(bench, { status: "waiting" }), []);
    assert.deepEqual(await ids(bench, { status: "ready" }), ["a"]);
  },

  "filters by id, workflow and tags narrow each other": async (bench) => {
    await bench.commit(
      start("a", { tags: { city: "Lisbon", size: "s" } }),
      start("b", { tags: { city: "Lisbon", size: "m" } }),
      start("c", { tags: { city: "Lisbon" }, workflow: "refund" }),
      start("d", { tags: { City: "Lisbon", city: "lisbon" } }),
    );
    assert.deepEqual(await ids(bench, { tag: { city: "Lisbon" } }), ["a", "b", "c"]);
    assert.deepEqual(await ids(bench, { tag: { city: "Lisbon", size: "m" } }), ["b"]);
    assert.deepEqual(await ids(bench, { tag: { city: "Lisbon" }, workflow: "refund" }), ["c"]);
    assert.deepEqual(await ids(bench, { tag: {} }), ["a", "b", "c", "d"]);
    assert.deepEqual(await ids(bench, { workflow: "ord" }), []);
    assert.deepEqual(await ids(bench, { ids: ["b", "d", "nobody"] }), ["b", "d"]);
    assert.deepEqual(await ids(bench, { ids: ["b", "d"], tag: { size: "m" }, status: "ready" }), ["b"]);
    assert.deepEqual(await ids(bench, { ids: [] }), []);
  },

  "ids are found by what they begin with, whatever is in them": async (bench) => {
    const all = [
      "order-4",
      "order-42",
      "order-42/packing",
      "order_42",
      "Order-42",
      "order-4%",
      "order-é",
      "order-𝄞x",
    ];
    await bench.commit(...all.map((id) => start(id)));
    const sorted = all.toSorted();
    for (const idPrefix of [
      "order-4",
      "order-42",
      "order-42/",
      "order-",
      "o",
      "Order",
      "order_",
      "order-4%",
      "order-𝄞",
      "",
      "%",
    ])
      assert.deepEqual(
        await ids(bench, { idPrefix }),
        sorted.filter((id) => id.startsWith(idPrefix)),
        idPrefix,
      );
    assert.deepEqual(await ids(bench, { idPrefix: "order-42", ids: ["order-42", "order-4"] }), ["order-42"]);
    assert.deepEqual(await ids(bench, { idPrefix: "order-4", workflow: "refund" }), []);
    assert.deepEqual(
      (await pages(bench, { idPrefix: "order-4" }, { limit: 2, order: "oldest" })).flat(),
      (await pages(bench, { idPrefix: "order-4" }, { limit: 3 })).flat().toReversed(),
    );
  },

  "F105: tags named like properties of objects are tags like others": async (bench) => {
    const tags = JSON.parse('{"__proto__":"x","constructor":"y","a.b":"z","$":"1","\\"":"2"}') as Record<
      string,
      string
    >;
    await bench.commit(start("a", { tags }), start("b"));
    const { run } = await bench.read("a");
    assert.deepEqual(new Map(Object.entries(run.tags)), new Map(Object.entries(tags)));
    for (const [name, value] of Object.entries(tags)) {
      const tag = JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`) as Record<string, string>;
      assert.deepEqual(await ids(bench, { tag }), ["a"], `tag ${name}`);
      assert.deepEqual(await ids(bench, { tag: { [`${name}?`]: value } }), []);
    }
    assert.equal(({} as { x?: string }).x, undefined);
  },

  "tags that a run got later are found as well": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { tags: { city: "Porto" } }));
    await worker.commit(advance({ runId: "a", attempt: 1 }, { tags: { city: "Faro" } }));
    assert.deepEqual(await ids(bench, { tag: { city: "Faro" } }), ["a"]);
    assert.deepEqual(await ids(bench, { tag: { city: "Porto" } }), []);
  },

  "`since` includes its instant, `until` does not": async (bench) => {
    await bench.commit(start("a"));
    await bench.pass(10);
    await bench.commit(start("b"));
    const [a, b] = [(await bench.read("a")).run.createdAt, (await bench.read("b")).run.createdAt];
    assert.ok(a < b, "time passes");
    assert.deepEqual(await ids(bench, { since: a, until: b }), ["a"]);
    assert.deepEqual(await ids(bench, { since: b }), ["b"]);
    assert.deepEqual(await ids(bench, { since: a, until: b + 1 }), ["a", "b"]);
  },

  "the version, the parent and the pause of a run are found": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("old"), start("new", { version: "2" }), start("other", { workflow: "refund" }));
    const sends = [sendStart(1, "called", { awaited: true }), sendStart(2, "started", { version: "2" })];
    await worker.commit(advance(await worker.bear("a"), { entries: entries(1, 2), sends }));
    await bench.commit(pause("old"), pause("started"));
    assert.deepEqual(await ids(bench, { version: "2" }), ["new", "started"]);
    assert.deepEqual(await ids(bench, { workflow: "order", version: "1" }), ["a", "called", "old"]);
    assert.deepEqual(await ids(bench, { parent: "a" }), ["called", "started"]);
    assert.deepEqual(await ids(bench, { parent: "old" }), []);
    assert.deepEqual(await ids(bench, { paused: true }), ["old", "started"]);
    assert.deepEqual(await ids(bench, { paused: false }), ["a", "called", "new", "other"]);
    assert.deepEqual(await ids(bench, { parent: "a", paused: true, version: "2" }), ["started"]);
  },

  "S9: `endedBefore` leaves out its instant, and what has not ended": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    await worker.commit(advance({ runId: "a", attempt: 1 }, { then: end() }));
    await bench.pass(10);
    await worker.commit(advance({ runId: "b", attempt: 1 }, { then: end("failed") }));
    const { endedAt } = (await bench.read("b")).run;
    assert.ok(endedAt !== null);
    assert.deepEqual(await ids(bench, { endedBefore: endedAt }), ["a"]);
    assert.deepEqual(await ids(bench, { endedBefore: endedAt + 1 }), ["a", "b"]);
    assert.deepEqual(await ids(bench, { endedBefore: endedAt + 1, status: "failed" }), ["b"]);
  },

  "pages hold every run once, newest or oldest first": async (bench) => {
    const names: string[] = [];
    for (let batch = 0; batch < 3; batch++) {
      const some = [0, 1, 2, 3].map((index) => `run-${batch}-${index}`);
      await bench.commit(...some.map((id) => start(id)));
      names.push(...some);
      await bench.pass(2);
    }
    for (const limit of [1, 5, 12, 50]) {
      const oldest = await pages(bench, {}, { limit, order: "oldest" });
      assert.ok(oldest.every((page) => page.length <= limit));
      assert.deepEqual(oldest.flat().toSorted(), names.toSorted(), `limit ${limit}`);
      const newest = (await pages(bench, {}, { limit, order: "newest" })).flat();
      assert.deepEqual(newest, oldest.flat().toReversed(), "the same order backwards");
      assert.deepEqual((await pages(bench, {}, { limit })).flat(), newest, "newest is the default");
      const batches = oldest.flat().map((id) => id.slice(0, "run-0".length));
      assert.deepEqual(batches, batches.toSorted(), "oldest first");
    }
  },

  "pages are not upset by runs that come and change meanwhile": async (bench) => {
    await bench.commit(...["a", "b", "c", "d"].map((id) => start(id)));
    await bench.pass(2);
    const first = await bench.store.list({}, { limit: 2, order: "newest" });
    await bench.commit(start("e"), signal("a", "1"));
    await bench.pass(2);
    const second = await bench.store.list({}, { limit: 2, order: "newest", after: first.next ?? "" });
    const seen = [...first.runs, ...second.runs].map(({ id }) => id);
    assert.deepEqual(seen.toSorted(), ["a", "b", "c", "d"]);
    assert.equal(second.next, null);
  },

  "a page that ends with the last run is the last one": async (bench) => {
    await bench.commit(start("a"), start("b"));
    assert.deepEqual((await pages(bench, {}, { limit: 2 })).length, 1);
    assert.deepEqual(await pages(bench, { ids: ["nobody"] }, { limit: 2 }), [[]]);
  },

  "a run in a list is the run that `read` shows": async (bench) => {
    for (const id of await oneOfEach(bench)) {
      const [listed] = (await bench.store.list({ ids: [id] }, { limit: 1 })).runs;
      assert.deepEqual(listed, (await bench.read(id)).run);
    }
  },

  "a list gives the error of a run that failed or was canceled": async (bench) => {
    const worker = await bench.join();
    const errors = { failed: '"declined"', canceled: '"no longer wanted"' } as const;
    await worker.bear("failed", "canceled", "completed");
    await worker.commit(
      advance({ runId: "failed", attempt: 1 }, { then: end("failed", { error: errors.failed }) }),
      advance({ runId: "canceled", attempt: 1 }, { then: end("canceled", { error: errors.canceled }) }),
      advance({ runId: "completed", attempt: 1 }, { then: end("completed", { result: '"done"' }) }),
    );
    const { runs } = await bench.store.list({}, { limit: 3 });
    assert.deepEqual(Object.fromEntries(runs.map(({ id, error }) => [id, error])), {
      ...errors,
      completed: null,
    });
  },

  "figures count every live run, and what ended since": async (bench) => {
    await oneOfEach(bench);
    await bench.commit(pause("ready"), start("b", { workflow: "refund", version: "2" }));
    const { live, ended, now } = await bench.store.figures(ALL);
    const { runs } = await bench.store.list({}, { limit: 100 });
    for (const figure of live) {
      const { workflow, version, status, paused, firstDueAt, oldestAt } = figure;
      const group = runs.filter(
        (run) => run.workflow === workflow && run.version === version && statusOf(run, now) === status,
      );
      const dueAts = group.flatMap(({ dueAt }) => dueAt ?? []);
      assert.equal(figure.runs, group.length, `${workflow} ${status}`);
      assert.equal(paused, group.filter((run) => run.paused !== null).length);
      assert.equal(firstDueAt, dueAts.length === 0 ? null : Math.min(...dueAts));
      assert.equal(oldestAt, Math.min(...group.map(({ createdAt }) => createdAt)));
    }
    assert.deepEqual(
      live.map(({ workflow, status }) => `${workflow} ${status}`),
      ["order compensating", "order ready", "order running", "order stuck", "order waiting", "refund ready"],
    );
    assert.equal(
      live.reduce((sum, figure) => sum + figure.runs, 0),
      runs.filter(({ end }) => end === null).length,
    );
    assert.deepEqual(
      ended.map(({ workflow, status, runs }) => [workflow, status, runs]),
      [
        ["order", "canceled", 1],
        ["order", "completed", 1],
        ["order", "failed", 1],
      ],
    );
    assert.deepEqual((await bench.store.figures({ ...ALL, endedSince: now + 1 })).ended, []);
    assert.deepEqual((await bench.store.figures({ ...ALL, createdSince: now + 1 })).ended, []);
  },

  "figures say how long runs took, by nearest rank": async (bench) => {
    const worker = await bench.join();
    const names = ["a", "b", "c"];
    await worker.bear(...names);
    for (const runId of names) {
      await worker.commit(advance({ runId, attempt: 1 }, { then: end() }));
      await bench.pass(5);
    }
    const { runs } = await bench.store.list({}, { limit: 10, order: "oldest" });
    const took = runs.map(({ createdAt, endedAt }) => (endedAt ?? 0) - createdAt).toSorted((x, y) => x - y);
    const [, medianMs, maxMs] = took;
    const { ended } = await bench.store.figures(ALL);
    assert.deepEqual(ended, [
      { workflow: "order", status: "completed", runs: 3, medianMs, p95Ms: maxMs, maxMs },
    ]);
  },

  "workers are listed with what they own until they leave or are taken over": async (bench) => {
    const [one, two, mortal] = [
      await bench.join(),
      await bench.join({ host: "shop-2", pid: 9 }),
      await bench.joinMortal(),
    ];
    await two.bear("a", "b");
    const { lease } = two;
    const workers = await bench.store.workers();
    assert.deepEqual(
      workers.map(({ id, live }) => [id, live]),
      [one, two, mortal].map(({ id }) => [id, true]),
    );
    const { name, version } = ORDER;
    assert.deepEqual(workers[1], {
      id: two.id,
      live: true,
      expiresAt: lease.expiresAt,
      host: "shop-2",
      pid: 9,
      workflows: [{ name, version }],
      runs: 2,
    });
    await one.commit({ kind: "leave" });
    await bench.outlive(mortal);
    const left = (await bench.store.workers()).map(({ id }) => id);
    assert.ok(left.includes(two.id) && !left.includes(one.id) && !left.includes(mortal.id));
  },

  "what is not fine about a store has a remedy": async (bench) => {
    for (const { check, is, found, remedy } of await bench.store.examine()) {
      assert.ok(check !== "" && found !== "");
      assert.equal(remedy === null, is === "fine", `${check}: ${found}`);
    }
  },

  "a run that is not there is undefined, not an error": async (bench) => {
    assert.equal(await bench.store.read("nobody"), undefined);
    assert.equal(await bench.store.count({ ids: ["nobody"] }), 0);
  },

  "S1: another process reads what was committed": async (bench) => {
    const second = await bench.second();
    await bench.commit(start("a"), signal("a", "1"));
    const [here, there] = [await bench.read("a"), await bench.read("a", second)];
    assert.deepEqual([there.run, there.messages], [here.run, here.messages]);
  },
};
