// docs/guides: the programs in everstep that stand beside those of other systems, and what the pages say of them.
import { expect, test } from "vitest";
import { FatalError, RunConflictError, type Workflow } from "../../packages/core/src/index.ts";
import { type TestWorker, testWorker } from "../../packages/core/src/testing/index.ts";
import { runGuide } from "./guide-program.ts";

class Declined extends Error {}

interface Outside {
  /** What happened outside, in its order. */
  readonly done: string[];
  /** What fails, and with what. */
  readonly broken: Map<string, Error>;
  readonly world: Readonly<Record<string, unknown>>;
}

/** A bank, a warehouse and the rest, which say what they did. */
function outside(): Outside {
  const done: string[] = [];
  const broken = new Map<string, Error>();
  const effect =
    (name: string, result?: string) =>
    async (...given: readonly unknown[]): Promise<string | undefined> => {
      const error = broken.get(name);
      if (error !== undefined) throw error;
      done.push([name, ...given.filter((value) => typeof value === "string")].join(" "));
      return result;
    };
  const world = {
    Declined,
    bank: { charge: effect("charge", "ch_1"), refund: effect("refund") },
    warehouse: { ship: effect("ship") },
    mailer: { send: effect("mail") },
    points: { add: effect("points") },
    figures: { append: effect("figure") },
  };
  return { done, broken, world };
}

interface Tried<I> extends Outside {
  readonly worker: TestWorker;
  readonly workflow: Workflow<I>;
}

/** Loaded once each: they find the world of the test that calls them. */
const programs = new Map<string, Promise<unknown>>();

function program<Exports>(page: string, block: string, world: Outside["world"]): Promise<Exports> {
  const known = programs.get(block) ?? runGuide(page, block, {});
  programs.set(block, known);
  Object.assign(globalThis, world);
  return known as Promise<Exports>;
}

/** The workflow of a guide, on a worker in virtual time. */
async function tried<I>(page: string, block: string, name: string): Promise<Tried<I>> {
  const made = outside();
  const exported = await program<Record<string, Workflow<I>>>(page, block, made.world);
  const workflow = exported[name];
  if (workflow === undefined) throw new Error(`${page}: ${block} exports no ${name}`);
  return { ...made, workflow, worker: await testWorker({ workflows: [workflow] }) };
}

interface Order {
  readonly orderId: string;
  readonly cents: number;
  readonly email?: string;
  readonly taken?: { readonly chargeId: string };
}

const wish: Order = { orderId: "42", cents: 1999, email: "ada@example.com" };

const WITH_APPROVAL = [
  ["restate", "restate-after"],
  ["dbos-temporal", "relatives-after"],
] as const;

test.for(WITH_APPROVAL)("%s: an order that is approved is shipped", async ([page, block]) => {
  const { worker, workflow, done } = await tried<Order>(page, block, "order");
  await using _ = worker;
  const run = await worker.start(workflow, wish, { id: "42" });
  await worker.signal(run, "approval", { by: "ada" });
  expect(await worker.result(run)).toEqual({ chargeId: "ch_1", approvedBy: "ada" });
  expect(done).toEqual(["charge 42/charge", "ship 42 42/ship"]);
});

test.for(WITH_APPROVAL)(
  "%s: one that nobody approves is refunded after three days",
  async ([page, block]) => {
    const { worker, workflow, done } = await tried<Order>(page, block, "order");
    await using _ = worker;
    const run = await worker.start(workflow, wish, { id: "42" });
    await worker.skip("2d");
    expect(done).toEqual(["charge 42/charge"]);
    await worker.skip("2d");
    await expect(worker.result(run)).rejects.toMatchObject({ cause: { name: "SignalTimeoutError" } });
    expect(done).toEqual(["charge 42/charge", "refund 42 42/charge/undo"]);
  },
);

test.for(WITH_APPROVAL)("%s: a declined one fails at once, and is not refunded", async ([page, block]) => {
  const { worker, workflow, done, broken } = await tried<Order>(page, block, "order");
  await using _ = worker;
  broken.set("charge", new Declined("no funds"));
  const run = await worker.start(workflow, wish, { id: "42" });
  await expect(worker.result(run)).rejects.toThrow("no funds");
  expect(done).toEqual([]);
});

test.for(WITH_APPROVAL)("%s: any other error is tried again, for hours", async ([page, block]) => {
  const { worker, workflow, done, broken } = await tried<Order>(page, block, "order");
  await using _ = worker;
  broken.set("charge", new Error("ECONNREFUSED"));
  const run = await worker.start(workflow, wish, { id: "42" });
  await worker.skip("5h");
  expect(await worker.client.runs.why("42")).toContain("ECONNREFUSED");
  broken.delete("charge");
  await worker.skip("1m");
  expect(await run.status()).toBe("waiting");
  expect(done).toEqual(["charge 42/charge"]);
});

test("dbos-temporal: one that is canceled after a death in the middle of its charge is refunded", async () => {
  const { worker, workflow, done, broken } = await tried<Order>("dbos-temporal", "relatives-after", "order");
  await using _ = worker;
  worker.mock("charge", async () => {
    done.push("charged, and dead");
    await worker.crash();
    return "ch_1";
  });
  const run = await worker.start(workflow, wish, { id: "42" });
  await worker.idle();
  broken.set("charge", new Error("ECONNREFUSED"));
  await run.cancel();
  await worker.skip("1m");
  expect(await run.status()).toBe("canceled");
  expect(done.at(-1)).toBe("refund 42 42/charge/undo");
});

const event = { orderId: "42", email: "ada@example.com", cents: 1999 };

test("hatchet: an event starts one run, whose steps do not wait for each other", async () => {
  const { worker, workflow, done, broken } = await tried("hatchet", "hatchet-after", "postOrder");
  await using _ = worker;
  broken.set("mail", new Error("no mail server"));
  const first = await worker.client.emit("order:completed", event, { id: "42" });
  expect(await worker.client.emit("order:completed", event, { id: "42" })).toEqual(first);
  await worker.skip("2h");
  expect(done.toSorted()).toEqual(["figure", "points 42"]);
  broken.delete("mail");
  await worker.skip("2m");
  expect(done.at(-1)).toBe("mail ada@example.com Order 42");
  expect(await worker.client.runs.count({ workflow: workflow.name, status: "completed" })).toBe(1);
});

test("hatchet: when one of them fails for good the others are not tried again, and nothing is undone", async () => {
  const { worker, done, broken } = await tried("hatchet", "hatchet-after", "postOrder");
  await using _ = worker;
  broken.set("mail", new Error("no mail server"));
  broken.set("points", new FatalError("no such customer"));
  const { runs } = await worker.client.emit("order:completed", event, { id: "42" });
  await worker.skip("1m");
  broken.delete("mail");
  await worker.skip("2h");
  const report = await worker.client.runs.read(runs[0] ?? "");
  expect(report.status).toBe("failed");
  expect(done).toEqual(["figure"]);
});

test("hatchet: an event from before anybody listened is seen in the list, with 0 runs", async () => {
  await using worker = await testWorker({ workflows: [] as readonly Workflow[] });
  await worker.client.emit("order:completed", event, { id: "41" });
  expect(await worker.client.events.list()).toMatchObject([{ id: "41", runs: 0 }]);
});

test("queues: an order is charged, shipped and told of", async () => {
  const { worker, workflow, done } = await tried<Order>("queues", "queues-after", "order");
  await using _ = worker;
  await worker.result(await worker.start(workflow, wish, { id: "42" }));
  expect(done).toEqual([
    "charge 42/charge",
    "ship 42 42/ship",
    "mail ada@example.com Order 42 is on its way",
  ]);
});

test("queues: one that can't be shipped is refunded after ten attempts, and a retry goes on where it failed", async () => {
  const { worker, workflow, done, broken } = await tried<Order>("queues", "queues-after", "order");
  await using _ = worker;
  broken.set("ship", new Error("the road is closed"));
  const run = await worker.start(workflow, wish, { id: "42" });
  await worker.skip("1h");
  await expect(worker.result(run)).rejects.toMatchObject({
    cause: { name: "StepFailedError", attempts: 10 },
  });
  expect(done).toEqual(["charge 42/charge", "refund 42 42/charge/undo"]);
  broken.delete("ship");
  await worker.client.runs.retry("42");
  await worker.result(run);
  expect(done.slice(2)).toEqual([
    "charge 42/charge~2",
    "ship 42 42/ship~2",
    "mail ada@example.com Order 42 is on its way",
  ]);
});

test("queues: the same id with another payload is refused", async () => {
  const { worker, workflow } = await tried<Order>("queues", "queues-after", "order");
  await using _ = worker;
  await worker.start(workflow, wish, { id: "42" });
  await worker.start(workflow, { ...wish }, { id: "42" });
  await expect(worker.start(workflow, { ...wish, cents: 1 }, { id: "42" })).rejects.toThrow(RunConflictError);
});

/** Both systems, of which the old one knows order 41. */
async function moving(): Promise<
  Tried<Order> & { place: (order: Order) => Promise<void>; placedThere: string[] }
> {
  const made = outside();
  const placedThere: string[] = [];
  const old = {
    knows: async (orderId: string) => orderId === "41",
    place: async ({ orderId }: Order) => void placedThere.push(orderId),
  };
  const { order, place } = await program<{
    order: Workflow<Order>;
    place: (order: Order) => Promise<void>;
  }>("README", "moving-place", { ...made.world, old });
  const worker = await testWorker({ workflows: [order] });
  Object.assign(globalThis, { client: worker.client });
  return { ...made, worker, workflow: order, place, placedThere };
}

test("moving: what is new starts here, what began elsewhere ends there", async () => {
  const { worker, place, placedThere, done } = await moving();
  await using _ = worker;
  for (const orderId of ["41", "42", "42"]) await place({ orderId, cents: 1999 });
  await worker.idle();
  expect(placedThere).toEqual(["41"]);
  expect(done).toEqual(["charge 42/charge"]);
});

test("moving: what is taken over is not charged again, and is refunded when it fails here", async () => {
  const { worker, workflow, done } = await moving();
  await using _ = worker;
  const taken = { chargeId: "ch_0" };
  const approved = await worker.start(workflow, { orderId: "7", cents: 1999, taken }, { id: "7" });
  const forgotten = await worker.start(workflow, { orderId: "8", cents: 1999, taken }, { id: "8" });
  await worker.signal(approved, "approval");
  expect(await worker.result(approved)).toBe("ch_0");
  await worker.skip("91d");
  await expect(worker.result(forgotten)).rejects.toThrow("approval");
  expect(done).toEqual(["ship 7 7/ship", "refund 8 8/refund/undo"]);
});
