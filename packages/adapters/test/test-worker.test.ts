/** The test kit's worker on real databases, in real time. */
import { InvalidArgumentError, type Store, workflow } from "@everstep/core";
import { replay, type TestWorker, testWorker } from "@everstep/core/testing";
import type { Database } from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { transaction as postgresTransaction } from "../src/postgres/index.ts";
import { transaction } from "../src/sqlite/index.ts";
import { rejection } from "./hand.ts";
import { Place } from "./postgres/place.ts";
import { connect, openStore, tempFile } from "./sqlite-bed.ts";

const order = workflow({ name: "order" }, async (ctx, cents: number) => {
  const charge = await ctx.step("charge", (): string => {
    throw new Error("a test must not charge a card");
  });
  await transaction(ctx, "book", (db) => {
    db.prepare("INSERT INTO bookings VALUES (?, ?)").run(ctx.run.id, cents);
  });
  const approval = await ctx.waitForSignal("approval");
  await ctx.sleep("nap", "50ms");
  return `${charge}, ${String(approval)}`;
});

async function shop(): Promise<{
  readonly worker: TestWorker<Database>;
  readonly store: Store<Database>;
  readonly bookings: () => unknown[];
}> {
  const file = tempFile();
  const store = openStore(file);
  const db = connect(file);
  db.exec("CREATE TABLE bookings (run TEXT PRIMARY KEY, cents INTEGER)");
  const worker = await testWorker({ workflows: [order], store });
  onTestFinished(() => worker.stop());
  return { worker, store, bookings: () => db.prepare("SELECT run FROM bookings").pluck().all() };
}

test("a run on a real file: mocked, failed, signaled, and its journal read", async () => {
  const { worker, store, bookings } = await shop();
  worker.mock("charge", ({ attempt }) => `ch_${attempt}`);
  worker.fail("charge", { error: new Error("down") });
  worker.fail("book");
  const run = await worker.start(order, 1999, { id: "42" });
  await worker.idle();
  expect(worker.calls.map(({ step, by, attempt }) => `${step} ${by} ${attempt}`)).toEqual([
    "charge fail 1",
    "charge mock 2",
    "book fail 1",
    "book body 2",
  ]);
  expect(bookings()).toEqual(["42"]);
  const recorded = JSON.stringify(await store.read("42"));
  expect(await replay(order, recorded)).toMatchObject({ is: "waiting", for: [{ key: "approval" }] });
  await worker.signal(run, "approval", "yes");
  expect(await worker.result(run)).toBe("ch_2, yes");
  expect(await worker.outline(run)).toEqual([
    "step charge",
    "step book",
    "signal approval",
    "timer nap",
    "end completed",
  ]);
});

test("the mock of a transaction writes nothing, and may not be async there either", async () => {
  const { worker, bookings } = await shop();
  worker.mock("charge", () => "ch_1");
  worker.mock("book", ({ idempotencyKey }) => idempotencyKey);
  const run = await worker.start(order, 1, { id: "a" });
  await worker.idle();
  expect(bookings()).toEqual([]);
  expect((await worker.journal(run))[1]).toMatchObject({ key: "book", value: "a/book" });

  worker.mock("book", async () => 1);
  const refused = await worker.start(order, 1, { id: "b" });
  expect((await rejection(worker.result(refused))).message).toContain("must be synchronous");
});

test("a transaction whose process dies is rolled back, and done once by the next one", async () => {
  const { worker, bookings } = await shop();
  worker.mock("charge", () => "ch_1");
  let crashed: Promise<void> | undefined;
  worker.mock("book", (_, body) => {
    body();
    crashed ??= worker.crash();
  });
  const run = await worker.start(order, 1, { id: "a" });
  await worker.idle();
  await crashed;
  expect(bookings()).toEqual(["a"]);
  expect(worker.calls.map(({ step }) => step)).toEqual(["charge", "book", "book"]);
  await worker.signal(run, "approval", "yes");
  expect(await worker.result(run)).toBe("ch_1, yes");
});

test("real time can't be skipped, and a result that needs a person says so", async () => {
  const { worker } = await shop();
  worker.mock("charge", () => "ch_1");
  const error = await rejection(worker.skip("1d"));
  expect(error).toBeInstanceOf(InvalidArgumentError);
  const run = await worker.start(order, 1, { id: "a" });
  expect((await rejection(worker.result(run))).message).toContain("waits for signal approval");
  await run.cancel({ reason: "enough" });
  expect((await rejection(run.result())).message).toContain("enough");
});

test("on Postgres as well: a transaction that fails, dies, and is done once", async () => {
  const place = new Place();
  const book = workflow({ name: "book" }, async (ctx) => {
    await ctx.step("charge", () => "ch_1");
    await postgresTransaction(ctx, "book", (db) =>
      db.query(`INSERT INTO ${place.quoted}.bookings VALUES ($1)`, [ctx.run.id]).then(() => 1),
    );
    return ctx.waitForSignal("approval");
  });
  const worker = await testWorker({ workflows: [book], store: place.open() });
  await place.rows("CREATE TABLE @bookings (run text PRIMARY KEY)");
  onTestFinished(() => worker.stop());
  let deaths = 0;
  worker.fail("book");
  worker.mock("book", async (_, body) => {
    const booked = await body();
    if (deaths++ === 0) await worker.crash();
    return booked;
  });
  const run = await worker.start(book, null, { id: "a" });
  await worker.idle();
  expect(worker.calls.map(({ step, by }) => `${step} ${by}`)).toEqual([
    "charge body",
    "book fail",
    "book mock",
    "book mock",
  ]);
  expect(await place.rows("SELECT run FROM @bookings")).toEqual([{ run: "a" }]);
  await worker.signal(run, "approval", "yes");
  expect(await worker.result(run)).toBe("yes");
});
