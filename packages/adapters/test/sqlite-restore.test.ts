/** What a restore brings back, and what is done again after it: what docs/production.md says of backups. */
import { renameSync, rmSync } from "node:fs";
import { Client, RunNotFoundError, Worker, workflow } from "@everstep/core";
import SqliteDatabase from "better-sqlite3";
import { expect, test } from "vitest";
import { sqlite } from "../src/sqlite/index.ts";
import { eventually } from "./hand.ts";
import { tempFile } from "./sqlite-bed.ts";

const keys: string[] = [];

const order = workflow({ name: "order" }, async (ctx) => {
  await ctx.step("reserve", (step) => void keys.push(step.idempotencyKey));
  await ctx.waitForSignal("paid");
  await ctx.step("ship", (step) => void keys.push(step.idempotencyKey));
});

/** Worker and client of one process, from its start to its end. */
async function inProcess(file: string, work: (client: Client) => Promise<void>): Promise<void> {
  const store = sqlite(file);
  await using worker = new Worker({ store, workflows: [order] });
  await worker.start();
  await work(new Client({ store }));
  await worker.stop();
  await store.close();
}

function backUp(file: string, copy: string): void {
  const db = new SqliteDatabase(file);
  db.exec(`VACUUM INTO '${copy}'`);
  db.close();
}

test("after a restore runs go on from the backup: what they did since then is done again, under the same keys", async () => {
  const file = tempFile();
  const copy = `${file}.backup`;
  await inProcess(file, async (client) => {
    const run = await client.start(order, undefined, { id: "42" });
    await eventually("it waits", async () => (await run.status()) === "waiting");
    backUp(file, copy);
    await run.signal("paid", undefined, { id: "evt_1" });
    await run.result();
    await client.start(order, undefined, { id: "later" });
  });

  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  renameSync(copy, file);
  await inProcess(file, async (client) => {
    await expect(client.get("later").status()).rejects.toThrow(RunNotFoundError);
    const run = client.get("42");
    expect(await run.status()).toBe("waiting");
    await run.signal("paid", undefined, { id: "evt_1" });
    await run.result();
  });
  expect(keys.filter((key) => key.startsWith("42/"))).toEqual(["42/reserve", "42/ship", "42/ship"]);
});
