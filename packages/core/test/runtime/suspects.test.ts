import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

const RUNS = 60;

test("after several deaths in a row, many suspects get their process one after the other without pause", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.step("work", () => "done"));
  const client = world.process();
  for (let no = 0; no < RUNS; no++) await client.start(definition, undefined, { id: `r${no}` });
  for (let death = 0; death < 2; death++) {
    const workflows = [{ name: "w", version: "1" }];
    const lease = await world.store.join({ workflows, leaseMs: 1000, host: "h", pid: 1 });
    await world.store.claim({ worker: lease.worker, limit: RUNS, workflows, except: [], inboxes: [] });
    await world.pass(1500);
    await world.store.renew(await world.store.join({ workflows: [], leaseMs: 60_000, host: "h", pid: 1 }));
  }
  expect(world.store.dump().runs.map(({ strikes }) => strikes)).toEqual(Array(RUNS).fill(2));
  const from = world.clock.monotonic();
  await world.worker([definition]);
  await world.passUntil(() => world.store.dump().runs.every(({ end }) => end === "completed"));
  // One at a time and each a second later, they would take a minute.
  expect(world.clock.monotonic() - from).toBeLessThan(5000);
});
