import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { gate, World } from "../support/world.ts";

const RUNS = 60;

/** Nobody gets anywhere: so many deaths in a row strike all that are due. */
async function strikeAll(world: World): Promise<void> {
  for (let death = 0; death < 2; death++) {
    const workflows = [{ name: "w", version: "1", on: null, priority: 0, timeoutMs: null }];
    const lease = await world.store.join({ workflows, leaseMs: 1000, host: "h", pid: 1 });
    await world.store.claim({ worker: lease.worker, limit: RUNS, workflows, except: [], inboxes: [] });
    await world.pass(1500);
    await world.store.renew(await world.store.join({ workflows: [], leaseMs: 60_000, host: "h", pid: 1 }));
  }
}

test("after several deaths in a row, many suspects get their process one after the other without pause", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.step("work", () => "done"));
  const client = world.process();
  for (let no = 0; no < RUNS; no++) await client.start(definition, undefined, { id: `r${no}` });
  await strikeAll(world);
  expect(world.store.dump().runs.map(({ strikes }) => strikes)).toEqual(Array(RUNS).fill(2));
  const from = world.clock.monotonic();
  await world.worker([definition]);
  await world.passUntil(() => world.store.dump().runs.every(({ end }) => end === "completed"));
  // One at a time and each a second later, they would take a minute.
  expect(world.clock.monotonic() - from).toBeLessThan(5000);
});

test("beside a body that takes long, only the first of many suspects waits for quiet", async () => {
  const world = new World();
  const over = gate();
  const long = workflow({ name: "long" }, (ctx) => ctx.step("work", () => over.promise));
  const definition = workflow({ name: "w" }, (ctx) => ctx.step("work", () => "done"));
  const client = world.process();
  for (let no = 0; no < RUNS; no++) await client.start(definition, undefined, { id: `r${no}` });
  await strikeAll(world);
  await client.start(long, undefined, { id: "long", priority: 1 });
  const from = world.clock.monotonic();
  await world.worker([definition, long]);
  const suspects = () => world.store.dump().runs.filter(({ id }) => id !== "long");
  await world.passUntil(() => suspects().every(({ end }) => end === "completed"));
  // One by one they would take five minutes.
  expect(world.clock.monotonic() - from).toBeLessThan(15_000);
  expect(world.run("long").end).toBeNull();
  over.open();
});
