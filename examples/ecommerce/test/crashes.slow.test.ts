/** Both workflows, crashed wherever they can be, in a world that keeps what was done to it. */
import { crashTest, type Outside, simulate } from "@everstep/core/testing";
import { expect, test } from "vitest";
import { orderWorkflow } from "../src/order.ts";
import type { OrderCompleted } from "../src/order-completed.ts";
import { postOrderWorkflow } from "../src/post-order.ts";
import { lampOrder } from "./open-shop.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

const order = (world: ToyWorld) => orderWorkflow(toyShop(world));
const postOrder = (world: ToyWorld) => postOrderWorkflow(toyShop(world));
const request = lampOrder("run-1");

const completed: OrderCompleted = {
  orderId: "run-1",
  userId: "user-1",
  chargeId: "ch-1",
  totalCents: 4_900,
  itemCount: 1,
  completedAt: "2026-01-01T00:00:00.000Z",
};

interface Journaled {
  readonly id: string;
  readonly journal: readonly { readonly kind: string; readonly key: string }[];
}

/** Paid once, mailed under one key, with points and a figure; or nothing of all that. */
function expectWhole(world: ToyWorld, runs: readonly Journaled[]): void {
  const [own = [], after = []] = ["run-1", "order:completed/run-1/post-order"].map((id) =>
    runs.find((run) => run.id === id)?.journal.map(({ kind, key }) => `${kind} ${key}`),
  );
  const stands = own.includes("step confirm-order") && !own.includes("undo release-inventory");
  const found = {
    own,
    paid: world.paid("run-1"),
    mails: world.mails.size,
    figures: world.figures.size,
    points: after.filter((entry) => entry === "step add-loyalty-points").length,
  };
  const each = stands ? 1 : 0;
  expect(found).toEqual({ own, paid: each, mails: each, figures: each, points: each });
}

test("an order is paid once and followed by all that follows it, whatever crashes (F5)", async () => {
  const { faults } = await crashTest(order, {
    input: request,
    world: () => new ToyWorld(),
    workflows: (world) => [postOrder(world)],
    // The payment that is charged may be the second that was opened.
    sameResult: false,
    invariant: ({ world, status, runs }) => {
      expect(status).toBe("completed");
      expectWhole(world, runs);
    },
  });
  expect(faults["effect after"]).toBeGreaterThan(5);
});

test.for([
  ["told when to look", { payment: { intentId: "pi_1", type: "payment_intent.succeeded" } }],
  ["never told", {}],
] as const)("an order whose payment takes its time and that is %s is paid once", async ([, signals]) => {
  await crashTest(order, {
    input: request,
    world: () => new ToyWorld({ slowness: 2 }),
    workflows: (world) => [postOrder(world)],
    signals,
    sameResult: false,
    invariant: ({ world, status, runs }) => {
      expect(status).toBe("completed");
      expectWhole(world, runs);
    },
  });
});

test("what follows an order is done once, whatever crashes", async () => {
  await crashTest(postOrder, {
    input: completed,
    world: () => new ToyWorld(),
    invariant: ({ world, status }) => {
      expect(status).toBe("completed");
      expect([world.mails.size, world.figures.size]).toEqual([1, 1]);
    },
  });
});

test("an order that is canceled at any moment, while anything breaks, is undone or stands, and never both (F115, F123)", async () => {
  const endings = new Set<string>();
  const drive = async ({ start, world, client, journal, until, sleep, random }: Outside<ToyWorld>) => {
    await start(order(world), request, { id: "run-1" });
    const entries = Math.floor(random() * 7);
    await until(() => journal("run-1").length >= entries);
    await sleep(random() * 3);
    // Refused when the order has ended.
    await client
      .get("run-1")
      .cancel()
      .catch(() => undefined);
  };
  for (let seed = 1; seed <= 150; seed++) {
    await simulate((world) => [order(world), postOrder(world)], {
      seed,
      world: () => new ToyWorld(),
      drive,
      healAfter: "5s",
      invariant: ({ world, runs }) => {
        expectWhole(world, runs);
        endings.add(`${runs.find(({ id }) => id === "run-1")?.end} ${world.paid("run-1")}`);
      },
    });
  }
  // The last of them came behind the point of no return.
  expect(endings).toEqual(new Set(["completed 1", "canceled 0", "canceled 1"]));
});
