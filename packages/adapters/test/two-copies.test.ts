/** Store and `transaction` come from another copy of the packages than client and worker. */
import { Client, StoreError, Worker, workflow } from "@everstep/core";
import { expect, test, vi } from "vitest";
import * as here from "../src/sqlite/index.ts";
import { rejection } from "./hand.ts";
import { connect, openStore, tempFile } from "./sqlite-bed.ts";

async function anotherCopy(): Promise<typeof here> {
  vi.resetModules();
  const copy = await import("../src/sqlite/index.ts");
  expect(copy.transaction).not.toBe(here.transaction);
  return copy;
}

test("a transaction of another copy commits together with the step of this one's worker", async () => {
  const copy = await anotherCopy();
  const file = tempFile();
  const db = connect(file);
  db.exec("CREATE TABLE orders (id TEXT PRIMARY KEY)");
  const store = openStore(file);
  const order = workflow({ name: "order" }, (ctx, id: string) =>
    copy.transaction(ctx, "confirm", (tx) => tx.prepare("INSERT INTO orders VALUES (?)").run(id).changes),
  );
  await using worker = new Worker({ store, workflows: [order] });
  await worker.start();
  const run = await new Client({ store }).start(order, "o1");
  expect(await run.result()).toBe(1);
  expect(db.prepare("SELECT id FROM orders").pluck().all()).toEqual(["o1"]);
});

test("a store of another copy serves this one's client and worker, and its errors are known", async () => {
  const copy = await anotherCopy();
  const store = copy.sqlite(tempFile());
  const order = workflow({ name: "order" }, (ctx, id: string) => ctx.step("s", () => id));
  const worker = new Worker({ store, workflows: [order] });
  await worker.start();
  const client = new Client({ store });
  const run = await client.start(order, "o1");
  expect(await run.result()).toBe("o1");
  await worker.stop();
  await store.close();
  expect(await rejection(client.runs.read(run.id))).toBeInstanceOf(StoreError);
});
