import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "@everstep/core";
import { Bed, decorated } from "../bed.ts";
import { sideBySide, until } from "../measure.ts";
import { order, sleeper } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const SLEEPERS = 100;
/** A server may keep the counts of a quiet session to itself for so long. */
const SETTLE_MS = 12_000;
const WATCH_MS = 30_000;
const MINUTE_MS = 60_000;

export const idle: Workload = {
  name: "idle",
  about: "a worker with nothing to do but wait for 100 runs that sleep for an hour",
  metrics: [
    { key: "callsPerMin", label: "calls of the store", unit: "/min" },
    { key: "queriesPerMin", label: "queries sent", unit: "/min" },
    { key: "transactionsPerMin", label: "transactions, of anybody in that database", unit: "/min" },
    { key: "cpuMsPerMin", label: "CPU of the process", unit: "ms/min" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  const traffic = await place.database.traffic?.(place.address);
  const calls = new Calls();
  await using bed = new Bed(place, (store) => calls.counted(store));
  await bed.work([order, sleeper]);
  await sideBySide({ width: 10, isOver: (begun) => begun >= SLEEPERS }, (no) =>
    bed.client.start(sleeper, null, { id: `${place.seed}-${no}` }),
  );
  await until(async () => (await bed.store.count({ status: "waiting" })) === SLEEPERS, 20);
  await delay(scaled(SETTLE_MS, place));
  const cpu = process.cpuUsage();
  const before = {
    calls: calls.count,
    queries: traffic?.queries(),
    transactions: await traffic?.transactions(),
  };
  const watchMs = scaled(WATCH_MS, place);
  await delay(watchMs);
  const used = process.cpuUsage(cpu);
  const perMin = (count: number): number => (count * MINUTE_MS) / watchMs;
  const figures = {
    callsPerMin: perMin(calls.count - before.calls),
    cpuMsPerMin: perMin((used.user + used.system) / 1000),
  };
  if (traffic === undefined) return figures;
  const queriesPerMin = perMin(traffic.queries() - (before.queries ?? 0));
  const transactionsPerMin = perMin((await traffic.transactions()) - (before.transactions ?? 0));
  await traffic.close();
  return { ...figures, queriesPerMin, transactionsPerMin };
}

class Calls {
  count = 0;

  counted(store: Store): Store {
    const count = <T>(answer: T): T => {
      this.count += 1;
      return answer;
    };
    return decorated(store, {
      commit: (batch) => count(store.commit(batch)),
      claim: (request) => count(store.claim(request)),
      renew: (lease) => count(store.renew(lease)),
      read: (runId) => count(store.read(runId)),
      list: (filter, page) => count(store.list(filter, page)),
      count: (filter) => count(store.count(filter)),
    });
  }
}
