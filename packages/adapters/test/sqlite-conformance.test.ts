/** P1 (S11, S12, S13), P4 (S1), P5 (S3, S4, S5), P7 (S6, S7): every case over the SQLite store, each named by the invariants and failures that it defends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { type OpenStore, type OpenTx, storeConformance } from "@everstep/core/testing";
import { describe, test } from "vitest";
import { sqlite } from "../src/sqlite/index.ts";

function open(): OpenStore {
  const directory = mkdtempSync(join(tmpdir(), "everstep-sqlite-"));
  const file = join(directory, "shop.db");
  const store = sqlite(file);
  const closers: (() => void)[] = [];
  return {
    store,
    second: () => sqlite(file),
    beginTx: () => beginTx(file, closers),
    syncBodies: true,
    close: async () => {
      await store.close();
      for (const close of closers) close();
      rmSync(directory, { recursive: true });
    },
  };
}

function beginTx(file: string, closers: (() => void)[]): OpenTx {
  const db = new SqliteDatabase(file);
  db.pragma("synchronous = FULL");
  db.exec("BEGIN IMMEDIATE");
  closers.push(() => db.close());
  return { tx: db, commit: () => void db.exec("COMMIT"), rollback: () => void db.exec("ROLLBACK") };
}

describe("the SQLite store conforms", () => {
  for (const conformance of storeConformance({ name: "sqlite", open })) {
    test(`${conformance.topic}: ${conformance.name}`, async ({ skip }) => {
      const verdict = await conformance.run();
      if (verdict !== undefined) skip(verdict.skipped);
    });
  }
});
