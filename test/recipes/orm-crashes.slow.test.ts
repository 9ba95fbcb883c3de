/** A worker that is killed inside of a transaction, after the ORM wrote and before the commit: nothing of it is there, and the next worker does it once. */
import { Client, Worker } from "@everstep/core";
import { expect, onTestFinished, test } from "vitest";
import { killInside, startWorker } from "./killed-inside.ts";
import { type Engine, type OrmRecipe, shopBed } from "./shop-bed.ts";

const RECIPES: readonly (readonly [module: string, engine: Engine])[] = [
  ["./drizzle-sqlite.ts", "sqlite"],
  ["./drizzle-postgres.ts", "postgres"],
  ["./kysely-sqlite.ts", "sqlite"],
  ["./kysely-postgres.ts", "postgres"],
];

test.each(RECIPES)("P4: %s, killed after the insert, inserts once", async (module, engine) => {
  const { order } = (await import(module)) as OrmRecipe;
  const bed = await shopBed(engine);
  const store = bed.open();
  const run = await new Client({ store }).start(order, { orderId: "o1", sku: "lamp" }, { id: "o1" });

  await killInside(bed, () => startWorker(module, bed.where));
  expect(await bed.rows("SELECT id FROM orders")).toEqual([]);

  const worker = new Worker({ store, workflows: [order] });
  onTestFinished(async () => void (await worker.stop()));
  await worker.start();
  expect(await run.result()).toBe(1);
  expect(await bed.rows("SELECT id FROM orders")).toEqual([{ id: "o1" }]);
});
