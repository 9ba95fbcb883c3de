/** F48: the clocks of workers and clients are wrong by minutes, each in another direction; only the database's counts. */
import { Client, type Clock, systemClock, Worker, workflow } from "@everstep/core";
import { expect, onTestFinished, test } from "vitest";
import type { PostgresTx } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { eventually, Hand } from "./hand.ts";

const SKEW_MS = 600_000;

/** It is so much later than it is, by both clocks. */
function skewed(ms: number): Clock {
  return {
    ...systemClock,
    now: () => systemClock.now() + ms,
    monotonic: () => systemClock.monotonic() + 10 * SKEW_MS + ms,
  };
}

test("F48: leases, timers and delays are those of the database, whatever a process thinks", async () => {
  const bed = new Bed();
  const clocks = [-SKEW_MS, SKEW_MS].map(skewed);
  const sleeper = workflow({ name: "sleeper" }, async (ctx) => {
    const before = ctx.now().getTime();
    await ctx.sleep("nap", 300);
    return [before, ctx.now().getTime()];
  });
  const clients: Client<PostgresTx>[] = [];
  for (const clock of clocks) {
    const store = bed.open();
    const worker = new Worker({ store, workflows: [sleeper], clock, lease: "2s" });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    clients.push(new Client({ store, clock }));
  }
  const other = await Hand.join(bed.open());
  const since = performance.now();
  const startedAt = (await other.store.list({}, { limit: 1 })).now;
  const runs = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      clients.map((client, c) =>
        client.start(sleeper, undefined, { id: `run-${n}-${c}`, ...(n < 5 ? { delay: 200 } : {}) }),
      ),
    ).flat(),
  );
  for (const [n, run] of runs.entries()) {
    const [before = 0, after = 0] = await run.result({ timeout: "100s" });
    const tookMs = performance.now() - since;
    const beganMs = before - startedAt;
    expect([n, beganMs >= (n < 10 ? 200 : 0), beganMs <= tookMs + 1]).toEqual([n, true, true]);
    expect([n, after - before >= 300, after - startedAt <= tookMs + 1]).toEqual([n, true, true]);
    const details = await other.store.read(run.id);
    expect([details?.run.strikes, (details?.run.attempt ?? 9) <= 2]).toEqual([0, true]);
  }
  await eventually("their leases are renewed, and nobody's is taken", async () => {
    expect(await other.renew()).toMatchObject({ live: true, reaped: 0 });
    return performance.now() - since > 3_000;
  });
  expect(await bed.place.rows("SELECT id FROM @workers WHERE NOT live")).toEqual([]);
});
