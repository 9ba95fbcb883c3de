import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { StoreError } from "@everstep/core";
import SqliteDatabase from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { sqlite } from "../src/sqlite/index.ts";
import { requireNode, requireWal } from "../src/sqlite/open.ts";
import { rejection, start } from "./hand.ts";
import { Child, connect, openStore, tempDirectory, tempFile, thrown } from "./sqlite-bed.ts";

/** The pragmas of the store's own connection, which only a transaction can see. */
async function pragmaOf(file: string, pragma: string): Promise<unknown> {
  const store = openStore(file);
  const { worker } = await store.join({ workflows: [], leaseMs: 60_000, host: "", pid: 1 });
  const id = `run-${worker}`;
  await store.commit({ writes: [start(id, { claim: true })], lease: { worker, batch: 1 } });
  let value: unknown;
  await store.transact({
    worker,
    runId: id,
    attempt: 1,
    body: (db) => db.pragma(pragma, { simple: true }),
    settle: (seen) => {
      value = seen;
      return { entry: { seq: 1, kind: "step", key: "x", at: 1 }, settled: [] };
    },
  });
  return value;
}

async function storeWithOneRun(): Promise<string> {
  const file = tempFile();
  const store = sqlite(file);
  await store.commit({ writes: [start("a")] });
  await store.close();
  return file;
}

function refusal(file: string): Error {
  const error = thrown(() => sqlite(file));
  expect(error).toBeInstanceOf(StoreError);
  expect(error.message).toContain(file);
  return error;
}

describe("durability", () => {
  test("P1 F16: WAL and synchronous=FULL hold on the first open and on every later one", async () => {
    const file = tempFile();
    for (let open = 1; open <= 3; open++) {
      expect(await pragmaOf(file, "synchronous"), `open ${open}`).toBe(2);
      expect(await pragmaOf(file, "journal_mode"), `open ${open}`).toBe("wal");
    }
  });

  test("F16: a database of the application that was in another journal mode is switched to WAL", async () => {
    const file = tempFile();
    connect(file).exec("CREATE TABLE orders (id TEXT)");
    expect(await pragmaOf(file, "journal_mode")).toBe("wal");
  });

  test("F33: a file system without WAL is refused", () => {
    const db = new SqliteDatabase(":memory:");
    const error = thrown(() => requireWal(db));
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/journal_mode is memory.*local disk/);
  });
});

describe("a wrong place is refused when it is given", () => {
  test("a database in memory", () => {
    expect(thrown(() => sqlite(":memory:")).message).toContain("memoryStore()");
    expect(thrown(() => sqlite("")).message).toContain("memoryStore()");
    expect(thrown(() => sqlite("file:shop.db")).message).toContain("not a URL");
  });

  test("a directory that is not there", () => {
    const file = join(tempDirectory(), "nowhere", "shop.db");
    expect(refusal(file).message).toContain("there is no directory");
  });

  test("a file that is not there, when it must be", () => {
    const file = tempFile();
    expect(thrown(() => sqlite(file, { mustExist: true })).message).toContain(
      `${file}: there is no such file`,
    );
    expect(existsSync(file)).toBe(false);
  });

  test("a wait for locks that is no number", () => {
    expect(thrown(() => sqlite(tempFile(), { lockWaitMs: Number.NaN })).message).toContain("lockWaitMs");
  });

  test("a directory in place of a file", () => {
    const file = tempFile();
    mkdirSync(file);
    expect(refusal(file).message).toContain("is not a file");
  });

  test.skipIf(process.platform === "win32")("F27: a file that may only be read", async () => {
    const file = await storeWithOneRun();
    chmodSync(dirname(file), 0o777);
    chmodSync(file, 0o444);
    const said = await new Child("openAsNobody", [file]).says("refused");
    expect(said).toContain(`${file}: this process may not write the file`);
  });

  test.skipIf(process.platform === "win32")("F27: a directory that may only be read", async () => {
    const file = await storeWithOneRun();
    chmodSync(file, 0o666);
    chmodSync(dirname(file), 0o555);
    const said = await new Child("openAsNobody", [file]).says("refused");
    chmodSync(dirname(file), 0o755);
    expect(said).toContain(`${file}: this process may not write to its directory`);
  });
});

describe("F28: what is not a sound database is never recreated", () => {
  const spoil: Readonly<Record<string, (file: string) => void>> = {
    "a text file": (file) => writeFileSync(file, "To be, or not to be: that is the question.\n".repeat(200)),
    "an overwritten beginning": (file) =>
      writeFileSync(file, Buffer.concat([Buffer.alloc(100, 7), readFileSync(file).subarray(100)])),
    "50 bytes that are left": (file) => truncateSync(file, 50),
    "half of its pages": (file) => truncateSync(file, 4096 * 6),
  };

  for (const [what, damage] of Object.entries(spoil)) {
    test(`a file: ${what}`, async () => {
      const file = await storeWithOneRun();
      damage(file);
      const before = readFileSync(file);
      expect(refusal(file).message).toMatch(/backup|not a database/);
      expect(readFileSync(file).equals(before), "nothing was changed").toBe(true);
    });
  }

  test("a missing or empty database whose log is still there", async () => {
    const file = await storeWithOneRun();
    for (const spoilt of ["", undefined]) {
      if (spoilt === undefined) rmSync(file);
      else writeFileSync(file, spoilt);
      writeFileSync(`${file}-wal`, Buffer.alloc(4152, 1));
      expect(refusal(file).message).toContain("its log");
      expect(readFileSync(`${file}-wal`).length).toBe(4152);
    }
  });

  test("a page that was overwritten is found when it is read, and named an unusable store", async () => {
    const file = tempFile();
    const store = sqlite(file);
    for (let batch = 0; batch < 40; batch++) {
      await store.commit({ writes: Array.from({ length: 50 }, (_, n) => start(`run-${batch}-${n}`)) });
    }
    await store.close();
    const bytes = readFileSync(file);
    bytes.fill(0xa5, Math.floor(bytes.length / 2));
    writeFileSync(file, bytes);
    const spoilt = openStore(file);
    const error = await rejection(spoilt.list({}, { limit: 2_000 }));
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/SQLITE_CORRUPT.*backup/);
  });
});

describe("the schema", () => {
  test("F55 F58: counts, instants and tokens are integers, and SQLite refuses anything else in their place", async () => {
    const file = await storeWithOneRun();
    const db = connect(file);
    const tables = db
      .prepare<[], { name: string; strict: number }>(
        "SELECT name, strict FROM pragma_table_list WHERE name LIKE 'everstep\\_%' ESCAPE '\\'",
      )
      .all();
    expect(tables.length).toBeGreaterThan(8);
    expect(tables.filter(({ strict }) => strict !== 1)).toEqual([]);
    const typeOf = db.prepare("SELECT type FROM pragma_table_info(?) WHERE name = ?").pluck();
    const tokens =
      "runs.owner runs.attempt runs.due_at journal.attempt workers.id workers.batch workers.expires_at";
    for (const token of tokens.split(" ")) {
      const [table, column] = token.split(".");
      expect([token, typeOf.get(`everstep_${table}`, column)]).toEqual([token, "INTEGER"]);
    }
  });

  test("F125: a migration that breaks off leaves nothing, and the next one makes all of it", async () => {
    const file = tempFile();
    const db = connect(file);
    // One table is in its way: it fails in the middle.
    db.exec("CREATE TABLE everstep_workers (id TEXT)");
    const tables = (): unknown[] =>
      db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    expect(() => sqlite(file)).toThrow("everstep_workers");
    expect(tables()).toEqual(["everstep_workers"]);
    db.exec("DROP TABLE everstep_workers");
    expect(await openStore(file).count({})).toBe(0);
    expect(tables()).toContain("everstep_meta");
  });

  test("F125: a file that a newer everstep has made is left alone", async () => {
    const file = await storeWithOneRun();
    const db = new SqliteDatabase(file);
    db.exec("UPDATE everstep_meta SET value = '999' WHERE key = 'schema'");
    db.close();
    const before = readFileSync(file);
    expect(refusal(file).message).toMatch(/newer everstep.*999.*update/);
    expect(readFileSync(file).equals(before), "nothing was changed").toBe(true);
  });

  test("a file whose tables somebody else has changed is refused with words", async () => {
    const file = await storeWithOneRun();
    const db = new SqliteDatabase(file);
    db.exec("DROP TABLE everstep_journal");
    db.close();
    expect(refusal(file).message).toMatch(/no such table.*everstep_\*/);
  });

  test("the application's own tables, version and id stay as they are", async () => {
    const file = tempFile();
    const db = connect(file);
    db.exec("CREATE TABLE orders (id TEXT); INSERT INTO orders VALUES ('o1')");
    db.pragma("user_version = 7");
    db.pragma("application_id = 42");
    const store = openStore(file);
    await store.commit({ writes: [start("a")] });
    expect(db.prepare("SELECT id FROM orders").pluck().all()).toEqual(["o1"]);
    expect([
      db.pragma("user_version", { simple: true }),
      db.pragma("application_id", { simple: true }),
    ]).toEqual([7, 42]);
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").pluck().all();
    const foreign = names.filter((name) => name !== "orders" && !String(name).startsWith("everstep_"));
    expect(foreign).toEqual([]);
  });

  test("I21: no impossible state can be stored", async () => {
    const file = tempFile();
    openStore(file);
    const db = connect(file);
    const columns = `id, workflow, version, priority, attempt, created_at, input_hash`;
    const row = `'x', 'order', '1', 0, 1, 1, ''`;
    const impossible: Readonly<Record<string, string>> = {
      phase: `'done'`,
      "phase, ended": `'forward', 'completed'`,
      "phase, owner": `'forward', 7`,
      "phase, owner, started_at, due_at": `'forward', 7, 1, 1`,
      "phase, owner, started_at, stuck": `'forward', 7, 1, '{}'`,
      "phase, stuck, due_at": `'forward', '{}', 1`,
      "phase, ended, ended_at, due_at": `'done', 'failed', 1, 1`,
      "phase, alone": `'forward', 1`,
      "phase, entries": `'forward', 1`,
      "phase, strikes_alone": `'forward', 1`,
    };
    for (const [names, values] of Object.entries(impossible)) {
      const insert = (): unknown =>
        db.exec(`INSERT INTO everstep_runs (${columns}, ${names}) VALUES (${row}, ${values})`);
      expect(`${names}: ${thrown(insert).message}`).toContain("CHECK constraint failed");
    }
  });
});

test("F34: a Node.js that would crash the driver is refused with words", () => {
  expect(thrown(() => requireNode("20.20.2")).message).toContain("Node.js 20.20.2 can't load better-sqlite3");
  requireNode("22.18.0");
  requireNode("26.0.0");
});

test("a path is taken from where the process was when it opened it", async () => {
  const directory = tempDirectory();
  const before = process.cwd();
  process.chdir(directory);
  try {
    const store = openStore("shop.db");
    process.chdir(before);
    await store.commit({ writes: [start("a")] });
    const { worker } = await store.join({ workflows: [], leaseMs: 1_000, host: "", pid: 1 });
    expect(existsSync(join(directory, `shop.db.worker-${worker}`))).toBe(true);
  } finally {
    process.chdir(before);
  }
});

test("a closed store says so, and leaves nothing but the database", async () => {
  const file = tempFile();
  const store = sqlite(file);
  store.watch(() => {});
  await store.join({ workflows: [], leaseMs: 60_000, host: "", pid: 1 });
  await store.close();
  await store.close();
  expect(readdirSync(dirname(file))).toEqual(["shop.db"]);
  for (const call of [store.count({}), store.commit({ writes: [] }), store.read("a")]) {
    const error = await rejection(call);
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toContain("closed");
  }
});

test("a file of somebody else is left as it is when told not to migrate", () => {
  const file = tempFile();
  const theirs = connect(file, { full: false });
  theirs.exec("CREATE TABLE goods (name TEXT)");
  expect(thrown(() => openStore(file, { migrate: false })).message).toContain(
    "there are no tables of everstep",
  );
  expect(theirs.pragma("journal_mode", { simple: true })).toBe("delete");
  expect(theirs.prepare("SELECT name FROM sqlite_schema").pluck().all()).toEqual(["goods"]);
});

test("a store that is there is opened without migrating it", async () => {
  const file = tempFile();
  openStore(file);
  expect(await openStore(file, { migrate: false }).count({})).toBe(0);
});
