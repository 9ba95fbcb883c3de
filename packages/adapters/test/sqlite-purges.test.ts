/** What a purge leaves: nothing of its runs, all of the others, and no half of it after a crash. */
import type { AdvanceWrite, NewRun, Send, Store, Write } from "@everstep/core";
import type { Database } from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { SqliteStore } from "../src/sqlite/sqlite-store.ts";
import { advance, end, entry, Hand, kinds, signal, start } from "./hand.ts";
import { Child, connect, openStore, tempFile } from "./sqlite-bed.ts";

const DAY_MS = 86_400_000;

function child(id: string): NewRun {
  const plain = {
    workflow: "order",
    version: "1",
    input: "1",
    inputHash: "1",
    priority: 0,
    tags: { of: "a" },
  };
  return { id, ...plain, timeoutMs: null };
}

/** A run that called two others, of which one called a third; all have ended, with something in every table. */
async function family(store: Store): Promise<Hand> {
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true, tags: { city: "Lisbon" } }), start("other", { claim: true }));
  await worker.commit(calling("a", ["b", "c"]), signal("a", "s"));
  await worker.claim();
  await worker.commit(calling("b", ["d"]));
  await worker.claim();
  for (const id of ["d", "b", "c"]) await worker.commit(ending(id, id === "b" ? 2 : 1));
  const retries = [{ key: "x", failures: 1, firstAt: 1, nextAt: 1, inDoubt: false }];
  await worker.commit(ending("a", 3), advance("other", { entries: [entry(1)], retries }));
  return worker;
}

function calling(runId: string, ids: readonly string[]): AdvanceWrite {
  const sends = ids.map(
    (id, index): Send => ({
      kind: "start",
      seq: index + 1,
      run: child(id),
      key: id,
      awaited: true,
    }),
  );
  return advance(runId, {
    entries: ids.map((id, index) => entry(index + 1, { kind: "call", key: id })),
    sends,
  });
}

function ending(runId: string, seq: number): AdvanceWrite {
  return advance(runId, { entries: [entry(seq)], then: { do: "end", status: "completed", result: '"r"' } });
}

const purge = (runId: string): Write => ({ kind: "purge", runId });

/** How many rows of each table belong to a run. */
function rowsOf(db: Database): Readonly<Record<string, readonly string[]>> {
  const tables = db
    .prepare<[], string>(
      `SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND m.name LIKE 'everstep%'
         AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'run')`,
    )
    .pluck()
    .all();
  const ofRun = `SELECT ifnull((SELECT id FROM everstep_runs WHERE no = run), 'nobody')`;
  return Object.fromEntries(
    tables.map((table) => [table, db.prepare<[], string>(`${ofRun} FROM ${table} ORDER BY 1`).pluck().all()]),
  );
}

describe("a purge", () => {
  test("leaves no row of its runs, and every row of others", async () => {
    const file = tempFile();
    const store = openStore(file);
    const worker = await family(store);
    const before = rowsOf(connect(file));
    expect(new Set(Object.values(before).flat())).toEqual(new Set(["a", "b", "c", "d", "other"]));
    expect(kinds(await store.commit({ writes: [purge("a")] }))).toEqual(["done"]);
    for (const owners of Object.values(rowsOf(connect(file))))
      expect(new Set(owners)).not.toContain("nobody");
    expect((await store.read("other"))?.journal).toHaveLength(1);
    // Numbers of rows are used again: what begins now has nothing of what was there.
    await store.commit({ writes: [start("new")] });
    expect(await store.read("new")).toMatchObject({
      journal: [],
      messages: [],
      retries: [],
      run: { tags: {} },
    });
    await worker.commit(
      advance("other", { entries: [entry(2)] }),
      start("born", { claim: true }),
      end("born"),
    );
    expect((await store.read("other"))?.journal.map(({ seq }) => seq)).toEqual([1, 2]);
    expect((await store.read("born"))?.journal).toHaveLength(1);
  });

  test("that a process is killed in is as if it had never begun", async () => {
    const file = tempFile();
    const store = openStore(file);
    await family(store);
    const before = rowsOf(connect(file));
    const victim = new Child("purgeAndDie", [file, "a", "c"]);
    expect(await victim.ends()).toBe("SIGKILL");
    expect(rowsOf(connect(file))).toEqual(before);
    expect(connect(file).pragma("integrity_check", { simple: true })).toBe("ok");
    expect(kinds(await store.commit({ writes: [purge("a"), start("c")] }))).toEqual(["done", "exists"]);
  });

  test("of a batch that sinks another write takes back nothing but that write", async () => {
    const file = tempFile();
    const store = openStore(file);
    await family(store);
    const outcomes = await store.commit({ writes: [purge("a"), start("x\ud800"), start("a")] });
    expect(kinds(outcomes)).toEqual(["done", "refused", "exists"]);
    expect(await store.read("a")).toBeUndefined();
  });
});

test("what was remembered for 90 days is forgotten by the next purge, some at a time", async () => {
  const file = tempFile();
  let now = Date.now();
  const db = connect(openedOnce(file));
  const store = new SqliteStore({ db, file, lockWaitMs: 0, now: () => now });
  const worker = await Hand.join(store);
  const emit = (id: string): Write => ({
    kind: "emit",
    event: { name: "paid", id, payload: "1", codecId: "c", payloadHash: "1", runPrefix: `paid/${id}/` },
  });
  const over = (id: string): readonly Write[] => [start(id, { claim: true }), end(id), purge(id)];
  await worker.commit(...over("old"), emit("old"));
  now += 60 * DAY_MS;
  await worker.commit(...over("young"), emit("young"));
  now += 31 * DAY_MS;
  expect(kinds(await worker.commit(start("old"), start("young")))).toEqual(["exists", "exists"]);
  await store.commit({ writes: [purge("nobody")] });
  expect(kinds(await store.commit({ writes: [start("old"), start("young")] }))).toEqual([
    "created",
    "exists",
  ]);
  expect((await store.events({ limit: 9 })).map(({ id }) => id)).toEqual(["young"]);
});

/** Its tables are there, and nobody has it open. */
function openedOnce(file: string): string {
  openStore(file);
  return file;
}
