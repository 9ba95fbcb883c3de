/** The recipes of Drizzle and Kysely on real databases: what an ORM writes and what everstep writes share a commit. */
import { Client, RunConflictError } from "@everstep/core";
import { testWorker } from "@everstep/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import * as drizzlePostgres from "./drizzle-postgres.ts";
import * as drizzleSqlite from "./drizzle-sqlite.ts";
import * as kyselyPostgres from "./kysely-postgres.ts";
import * as kyselySqlite from "./kysely-sqlite.ts";
import { type Engine, type OrmRecipe, shopBed, type Wish } from "./shop-bed.ts";

const RECIPES: readonly (readonly [name: string, engine: Engine, recipe: OrmRecipe])[] = [
  ["Drizzle on SQLite", "sqlite", drizzleSqlite],
  ["Drizzle on Postgres", "postgres", drizzlePostgres],
  ["Kysely on SQLite", "sqlite", kyselySqlite],
  ["Kysely on Postgres", "postgres", kyselyPostgres],
];

const lamp = (orderId: string): Wish => ({ orderId, sku: "lamp" });

describe.each(RECIPES)("P4: %s", (_, engine, recipe) => {
  test("what a transaction writes and its journal entry are one commit, or nothing of it is there", async () => {
    const bed = await shopBed(engine);
    await using worker = await testWorker({ workflows: [recipe.order], store: bed.open() });
    expect(await worker.result(await worker.start(recipe.order, lamp("o1")))).toBe(1);
    expect(await worker.result(await worker.start(recipe.order, lamp("o2")))).toBe(0);
    const soldOut = await worker.start(recipe.order, lamp("o3"));
    await expect(worker.result(soldOut)).rejects.toThrow("no lamp is left");
    expect(await bed.rows("SELECT id FROM orders ORDER BY id")).toEqual([{ id: "o1" }, { id: "o2" }]);
    expect(await bed.rows(`SELECT "left" FROM stock`)).toEqual([{ left: 0 }]);
  });

  test("a run that is started in a transaction of the ORM is there if and only if it commits", async () => {
    const bed = await shopBed(engine);
    const shop = recipe.openShop(bed.where);
    onTestFinished(() => shop.close());
    const place = async (wish: Wish): Promise<void> => void (await shop.place(wish));
    const { runs } = new Client({ store: bed.open() });

    await place(lamp("o1"));
    await expect(place({ orderId: "o1", sku: "chair" })).rejects.toThrow(/unique|duplicate|failed query/i);
    await new Client({ store: bed.open() }).start(recipe.order, lamp("o2"), { id: "o2" });
    await expect(place({ orderId: "o2", sku: "chair" })).rejects.toThrow(RunConflictError);

    expect(await bed.rows("SELECT id FROM carts")).toEqual([{ id: "o1" }]);
    expect((await runs.list()).runs.map(({ id }) => id).toSorted()).toEqual(["o1", "o2"]);
  });
});
