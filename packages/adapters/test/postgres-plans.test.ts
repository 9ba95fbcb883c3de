import { randomUUID } from "node:crypto";
import type { RunFilter, Store, Write } from "@everstep/core";
import { Client, escapeIdentifier } from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { postgres } from "../src/postgres/index.ts";
import { countQuery, pageQuery } from "../src/postgres/run-filter.ts";
import { expectStatusesOfCore } from "./every-status.ts";
import { ExplainedStore, lookUpOf, nodesOf, type PlanNode } from "./postgres/explained.ts";
import { advance, call, emit, end, entry, eventually, Hand, ORDER, park, signal, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";

const url = inject("databaseUrl");
const STUCK = { do: "stick", stuck: { code: "BUG", message: '"x"', at: 1 } } as const;

/** Everything that a worker, a client and a person make a store do. */
async function everything({ store, pool }: ExplainedStore): Promise<void> {
  const doomed = await Hand.join(store, { leaseMs: 1 });
  await doomed.commit(start("of the doomed", { claim: true }));
  const hand = await Hand.join(store);
  await eventually("the dead worker is taken over", async () => (await hand.renew()).reaped > 0);
  await hand.claim();
  await hand.claim(0);
  const more = { tags: { city: "Lisbon" }, timeoutMs: 1_000 };
  await store.commit({
    writes: [start("a", more), start("b", { priority: 7 }), start("c", { due: { inMs: 1e9 } })],
  });
  await store.commit({ writes: [signal("a", "1"), signal("b", "1"), signal("nobody", "1")] });
  await hand.claim();
  const inboxes = [{ runId: "a", after: 0 }];
  await store.claim({
    worker: hand.id,
    limit: 5,
    workflows: [{ name: "order", version: "1" }],
    except: ["c"],
    inboxes,
  });
  const retry = { key: "x", failures: 1, firstAt: 1, nextAt: null, inDoubt: false };
  await hand.commit(
    advance("a", {
      entries: [entry(1)],
      consume: [[1, 1]],
      retries: [retry],
      settled: ["y"],
      tags: { size: "m" },
    }),
    advance("b", { then: STUCK }),
    start("d", { claim: true }),
    signal("c", "1"),
  );
  await hand.commit(advance("a", { entries: [entry(2)] }), advance("a", { entries: [entry(3)] }));
  await hand.commit(start("alone", { claim: true }));
  await hand.commit(advance("alone", { entries: [entry(1)] }));
  await hand.commit({ ...end("alone"), entries: [entry(2)] });
  const resume: Write = { kind: "operate", runId: "b", operation: "resume", id: "1", value: "1" };
  await store.commit({ writes: [resume] });
  await store.commit({ writes: [start("e\0"), signal("b", "2")] });
  const settle = () => ({ entry: entry(4), settled: ["x"], outbox: [{ id: "4", text: "4" }] });
  await store.transact({ worker: hand.id, runId: "a", attempt: 1, body: () => undefined, settle });
  await hand.commit(park("d"), { ...end("a"), entries: [entry(5)] });
  const tx = await pool.connect();
  await tx.query("BEGIN");
  await store.commit({ writes: [start("f"), signal("d", "1")], tx });
  await tx.query("COMMIT");
  tx.release();
  await store.read("a");
  await everythingOfPersons(store);
  await everythingOfChildren(store);
  await hand.renew();
  await hand.commit({ kind: "leave" });
}

async function everythingOfPersons(store: Store): Promise<void> {
  const operate = (runId: string, operation: "pause" | "resume"): Write => ({
    kind: "operate",
    runId,
    operation,
    id: `${operation} ${runId}`,
    value: "1",
  });
  await store.commit({ writes: [start("g"), operate("g", "pause"), operate("g", "resume")] });
  const note = (id: string) => entry(3, { kind: "move", key: id });
  await store.commit({
    writes: [
      { kind: "mend", runId: "g", attempt: 0, length: 2, entries: [note("1")], settled: ["x"], then: "due" },
    ],
  });
  await store.commit({ writes: [{ kind: "pause-workflow", workflow: "mail", note: "1" }] });
  await store.commit({ writes: [{ kind: "pause-workflow", workflow: "mail", note: null }] });
}

/** Of a run that calls, emits and ends. */
async function everythingOfChildren(store: Store): Promise<void> {
  const specs = ["order", "mail"].map((name) => ({ ...ORDER, name, on: name === "mail" ? "sent" : null }));
  const hand = await Hand.join(store, { workflows: specs });
  await hand.commit(
    start("p", { claim: true }),
    start("p/0", { claim: true }),
    start("by name", { version: null }),
  );
  await hand.commit(
    advance("p", {
      entries: [1, 2, 3, 4].map((seq) => entry(seq)),
      sends: [
        ...[0, 1].map((n) => call(n + 1, `p/${n}`)),
        emit(3, "1"),
        {
          kind: "message",
          seq: 4,
          runId: "p/1",
          message: { type: "signal", id: "1", name: "go", payload: "1" },
        },
      ],
      outbox: [{ id: "1", text: "1" }],
    }),
  );
  await hand.commit(end("p/0"));
  await store.commit({
    writes: [
      { kind: "emit", event: emit(1, "1").event },
      { kind: "emit", event: emit(1, "2").event },
    ],
  });
  await hand.commit({ ...end("p"), entries: [entry(5)], sends: [] });
  const taken = await store.takeOutbox({ limit: 1, forMs: 1 });
  await store.commit({
    writes: [
      { kind: "shipped", nos: taken.map(({ no }) => no) },
      { kind: "purge", runId: "p/0" },
    ],
  });
  await Promise.all([
    store.workflows(),
    store.events({ limit: 1 }),
    store.events({ name: "sent", limit: 1 }),
  ]);
  const details = await store.read("p");
  if (details === undefined) throw new Error("run p is gone");
  const again = {
    kind: "import",
    inputHash: "1",
    journal: details.journal,
    messages: [],
    retries: [],
  } as const;
  await store.commit({
    writes: [{ ...again, run: { ...details.run, id: "q" }, awaits: [{ runId: "p/1", key: "1" }] }],
  });
}

/** Of which statements see all rows of a table or an index. */
function looksAtAll(explained: ExplainedStore, schema: string): readonly string[] {
  const seen = new Set<string>();
  for (const { Plan: plan, "Query Text": text } of explained.plans()) {
    if (!text.includes(schema) && !text.includes("everstep")) continue;
    for (const node of nodesOf(plan)) {
      const lookUp = lookUpOf(node);
      if (lookUp !== undefined && / all$| \(\)$/.test(lookUp)) seen.add(lookUp);
    }
  }
  return [...seen].toSorted();
}

/** How claims, and nothing else, look runs up. */
async function lookUpsOfClaims(explained: ExplainedStore): Promise<readonly string[]> {
  const hand = await Hand.join(explained.store);
  await explained.store.commit({ writes: [start("due"), start("due later", { due: { inMs: 1e9 } })] });
  explained.plans();
  expect((await hand.claim()).length).toBeGreaterThan(0);
  const nodes = explained.plans().flatMap(({ Plan: plan }) => nodesOf(plan));
  const ofRuns = nodes.map(lookUpOf).filter((lookUp) => lookUp?.startsWith("runs"));
  return [...new Set(ofRuns)].map(String).toSorted();
}

/**
 * The live workers, by each renewal, join and read; their rows that died a day ago, by each join; what workers told of, when a person asks;
 * and the first so many rows, in the order of the index.
 */
const ALL_OF: readonly string[] = [
  "workers all",
  "workers_live ()",
  "workers_pkey ()",
  "workflows all",
  "workflows_name ()",
  "workflow_pauses_pkey ()",
  "events_at ()",
  "events_pkey ()",
  "purged_pkey ()",
  "outbox_pkey ()",
];

const CLAIMS = [
  // To find the levels of priority, and when each is due.
  "runs_due (workflow, version)",
  "runs_due (workflow, version, priority)",
  // To pick.
  "runs_due (workflow, version, priority, due_at)",
  // To change and to load what was picked.
  "runs_pkey (no)",
];

describe("F72: on an empty schema that was never analyzed", () => {
  test("no statement looks at all rows but those of workers", async () => {
    const place = new Place();
    const explained = new ExplainedStore(place.url, place.schema);
    await everything(explained);
    const all = looksAtAll(explained, place.schema);
    expect(all.filter((lookUp) => !ALL_OF.includes(lookUp))).toEqual([]);
  });

  test("claims find what is due by the index of what is due alone", async () => {
    const place = new Place();
    expect(await lookUpsOfClaims(new ExplainedStore(place.url, place.schema))).toEqual(CLAIMS);
  });
});

const FINISHED = 200_000;

describe(`with ${FINISHED} finished runs, analyzed`, () => {
  const schema = `plans ${randomUUID()}`;
  const client = new Client(url);
  const quoted = escapeIdentifier(schema);

  beforeAll(async () => {
    await client.connect();
    const store = postgres(url, { schema });
    await store.count({});
    await store.close();
    await client.query(`
      INSERT INTO ${quoted}.runs (id, workflow, version, priority, phase, ended, attempt, created_at, started_at, ended_at, input_hash, input)
      SELECT 'old-' || n, CASE WHEN n % 50 = 0 THEN 'refund' ELSE 'order' END, '1', 0, 'done',
        CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'completed' END, 1, n, n, n, '1', '1' FROM generate_series(1, ${FINISHED}) n;
      INSERT INTO ${quoted}.journal (run, seq, attempt, kind, key, at, value)
      SELECT n, s, 1, 'step', 'x', 1, '1' FROM generate_series(1, ${FINISHED}) n, generate_series(1, 2) s;
      INSERT INTO ${quoted}.tags (run, name, value)
      SELECT n, 'city', 'city-' || n % 1000 FROM generate_series(1, ${FINISHED}) n`);
    await client.query(`VACUUM ANALYZE ${quoted}.runs, ${quoted}.journal, ${quoted}.tags`);
  });

  afterAll(async () => {
    await client.query(`DROP SCHEMA ${quoted} CASCADE`);
    await client.end();
  });

  test("no statement looks at all rows but those of workers, and claims look at what is due alone", async () => {
    const explained = new ExplainedStore(url, schema);
    await everything(explained);
    const all = looksAtAll(explained, schema);
    expect(all.filter((lookUp) => !ALL_OF.includes(lookUp))).toEqual([]);
    expect(await lookUpsOfClaims(explained)).toEqual(CLAIMS);
  });

  const FILTERS: Readonly<Record<string, readonly [filter: RunFilter, index: string]>> = {
    everything: [{}, "runs_over (created_at, no)"],
    "by id": [{ ids: ["old-7", "old-8"] }, "runs_id (id)"],
    "by id and status": [{ ids: ["old-7"], status: "completed" }, "runs_id (id)"],
    "by the beginning of the id": [{ idPrefix: "old-777" }, "runs_id (id)"],
    stuck: [{ status: "stuck" }, "runs_stuck (created_at, no)"],
    "stuck, of one workflow": [{ status: "stuck", workflow: "order" }, "runs_stuck (created_at, no)"],
    running: [{ status: "running" }, "runs_live (created_at, no)"],
    live: [{ status: ["ready", "running", "waiting"] }, "runs_live (created_at, no)"],
    "failed or canceled": [{ status: ["failed", "canceled"] }, "runs_unhappy (created_at, no)"],
    "of a rare workflow": [{ workflow: "refund" }, "runs_workflow (workflow, created_at, no)"],
    paused: [{ paused: true }, "runs_paused (created_at, no)"],
    "children of one": [{ parent: "old-7" }, "runs_parent (parent, created_at, no)"],
    "ended before": [
      { workflow: "refund", status: "completed", endedBefore: 5 },
      "runs_workflow (workflow, created_at, no)",
    ],
    tagged: [{ tag: { city: "city-7" } }, "tags_value (name, value)"],
    "tagged and completed": [{ tag: { city: "city-7" }, status: "completed" }, "tags_value (name, value)"],
  };

  test.for(Object.entries(FILTERS))(
    "a list of runs, %s, uses the index that fits",
    async ([, [filter, index]]) => {
      const explain = async ({ text, values }: ReturnType<typeof pageQuery>): Promise<readonly string[]> => {
        const { rows } = await client.query<{ "QUERY PLAN": readonly [{ readonly Plan: PlanNode }] }>(
          `EXPLAIN (FORMAT JSON) ${text.replaceAll("everstep.", `${quoted}.`)}`,
          [...values],
        );
        const nodes = rows.flatMap(({ "QUERY PLAN": [{ Plan: plan }] }) => nodesOf(plan));
        return nodes.map(lookUpOf).filter((lookUp) => lookUp !== undefined);
      };
      for (const order of ["newest", "oldest"] as const) {
        const lookUps = await explain(
          pageQuery(filter, { limit: 10, after: `${FINISHED / 2}.${FINISHED / 2}`, order }),
        );
        expect(lookUps, `${order} first`).toContain(index);
        expect(lookUps.filter((lookUp) => lookUp.endsWith(" all"))).toEqual([]);
      }
      if (filter.ids !== undefined || filter.tag !== undefined || filter.status !== undefined)
        expect((await explain(countQuery(filter))).filter((lookUp) => lookUp.endsWith(" all"))).toEqual([]);
    },
  );
});

test("the SQL of every status is statusOf of core", () => expectStatusesOfCore(new Place().open()));
