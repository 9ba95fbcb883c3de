/** The recipe of Prisma with Prisma itself, on real databases. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, RunConflictError, type Store, Worker, type Workflow } from "@everstep/core";
import { memoryStore, testWorker } from "@everstep/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { killInside, startWorker } from "./killed-inside.ts";
import { prismaIsThere } from "./prisma-install.ts";
import { type OrmRecipe, shopBed, type Wish } from "./shop-bed.ts";

/** What of a generated client is used here: it is not there before it is generated. */
interface PrismaClient {
  readonly cart: { create(row: { readonly data: object }): Promise<unknown> };
  $disconnect(): Promise<void>;
}

interface SqliteRecipe {
  readonly orderWith: (prisma: PrismaClient) => Workflow<Wish, number>;
  readonly startPlaced: (
    prisma: PrismaClient,
    client: Client,
    order: Workflow<Wish, number>,
  ) => Promise<void>;
}

const lamp = (orderId: string): Wish => ({ orderId, sku: "lamp" });
const there = prismaIsThere();
const load = async <T>(path: string): Promise<T> =>
  (await import(new URL(`prisma/${path}`, import.meta.url).href)) as T;

describe.runIf(there)("P4: Prisma on Postgres", () => {
  test("what a transaction writes and its journal entry are one commit, or nothing of it is there", async () => {
    const { order } = await load<OrmRecipe>("postgres.ts");
    const bed = await shopBed("postgres");
    await using worker = await testWorker({ workflows: [order], store: bed.open() });
    expect(await worker.result(await worker.start(order, lamp("o1")))).toBe(1);
    expect(await worker.result(await worker.start(order, lamp("o2")))).toBe(0);
    await expect(worker.result(await worker.start(order, lamp("o3")))).rejects.toThrow("no lamp is left");
    expect(await bed.rows("SELECT id FROM orders ORDER BY id")).toEqual([{ id: "o1" }, { id: "o2" }]);
  });

  test("a run that is started in a transaction of Prisma is there if and only if it commits", async () => {
    const { order, openShop } = await load<OrmRecipe>("postgres.ts");
    const bed = await shopBed("postgres");
    const shop = openShop(bed.where);
    onTestFinished(() => shop.close());
    const client = new Client({ store: bed.open() });
    await shop.place(lamp("o1"));
    await client.start(order, lamp("o2"), { id: "o2" });
    await expect(shop.place({ orderId: "o2", sku: "chair" })).rejects.toThrow(RunConflictError);
    expect(await bed.rows("SELECT id FROM carts")).toEqual([{ id: "o1" }]);
    expect((await client.runs.list()).runs.map(({ id }) => id).toSorted()).toEqual(["o1", "o2"]);
  });

  test("a worker that is killed after the insert inserts once", async () => {
    const { order } = await load<OrmRecipe>("postgres.ts");
    const bed = await shopBed("postgres");
    const store = bed.open();
    const run = await new Client({ store }).start(order, lamp("o1"), { id: "o1" });
    await killInside(bed, () => startWorker("./prisma/postgres.ts", bed.where));
    expect(await bed.rows("SELECT id FROM orders")).toEqual([]);
    const worker = new Worker({ store, workflows: [order] });
    onTestFinished(async () => void (await worker.stop()));
    await worker.start();
    expect(await run.result()).toBe(1);
    expect(await bed.rows("SELECT id FROM orders")).toEqual([{ id: "o1" }]);
  });
});

describe.runIf(there)("Prisma on SQLite", () => {
  async function shop(): Promise<
    SqliteRecipe & {
      readonly prisma: PrismaClient;
      readonly rows: (sql: string) => Promise<readonly unknown[]>;
    }
  > {
    const bed = await shopBed("sqlite");
    await bed.execute(`
      ALTER TABLE carts ADD COLUMN sku text NOT NULL DEFAULT '';
      ALTER TABLE carts ADD COLUMN started boolean NOT NULL DEFAULT false;
      CREATE TABLE done (key text PRIMARY KEY, result text NOT NULL)`);
    const opening = await load<{ openPrisma(file: string): PrismaClient }>("open-sqlite.ts");
    const prisma = opening.openPrisma(bed.where);
    onTestFinished(() => prisma.$disconnect());
    return { ...(await load<SqliteRecipe>("sqlite.ts")), prisma, rows: bed.rows };
  }

  test("a step that died after its commit finds its result, and writes nothing again", async () => {
    const { orderWith, prisma, rows } = await shop();
    const order = orderWith(prisma);
    await using worker = await testWorker({ workflows: [order] });
    worker.mock("reserve", async (_, body) => {
      await body();
      worker.unmock("reserve");
      await worker.crash();
    });
    await worker.start(order, lamp("o1"), { id: "o1" });
    expect(await worker.result("o1")).toBe(1);
    expect(await rows("SELECT id FROM orders")).toEqual([{ id: "o1" }]);
  });

  test("what is sold out leaves nothing", async () => {
    const { orderWith, prisma, rows } = await shop();
    const order = orderWith(prisma);
    await using worker = await testWorker({ workflows: [order] });
    const run = await worker.start(order, { orderId: "o1", sku: "chair" });
    await expect(worker.result(run)).rejects.toThrow("no chair is left");
    expect(await rows("SELECT id FROM orders UNION ALL SELECT key FROM done")).toEqual([]);
  });

  test("a cart that was committed is started, also by a program that starts after a crash, once", async () => {
    const { orderWith, startPlaced, prisma } = await shop();
    const store: Store = memoryStore();
    const client = new Client({ store });
    await prisma.cart.create({ data: { id: "o1", sku: "lamp" } });
    const order = orderWith(prisma);
    await Promise.all([startPlaced(prisma, client, order), startPlaced(prisma, client, order)]);
    await startPlaced(prisma, client, order);
    expect((await client.runs.list()).runs.map(({ id }) => id)).toEqual(["o1"]);
  });
});

test.runIf(there)("its code compiles against the generated clients", () => {
  const folder = fileURLToPath(new URL("prisma", import.meta.url));
  const tsc = join(folder, "../../../node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
});
