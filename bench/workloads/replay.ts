import type { StepContext, Store } from "@everstep/core";
import { Bed, decorated } from "../bed.ts";
import { median } from "../measure.ts";
import { longWith } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const STEPS = { short: 1_000, long: 10_000 };
const WARM_REPLAYS = 5;

export const replay: Workload = {
  name: "replay",
  about: "a run that a worker let go in order: from its claim to its next new body",
  metrics: [
    { key: "shortMs", label: "1,000 steps, in a new process", unit: "ms", atMost: 50 },
    { key: "shortWarmMs", label: "1,000 steps, warm", unit: "ms" },
    { key: "shortLoadMs", label: "1,000 steps, of it the store's claim()", unit: "ms" },
    { key: "longMs", label: "10,000 steps, in a new process", unit: "ms", atMost: 500 },
    { key: "longWarmMs", label: "10,000 steps, warm", unit: "ms" },
    { key: "longLoadMs", label: "10,000 steps, of it the store's claim()", unit: "ms" },
    { key: "growth", label: "10,000 steps in 1,000 steps, warm", unit: "×", atMost: 12 },
  ],
  phases: [
    { name: "record short", run: (place) => record(place, "short") },
    { name: "replay short", run: (place) => measure(place, "short") },
    { name: "record long", run: (place) => record(place, "long") },
    { name: "replay long", run: (place) => measure(place, "long") },
  ],
  derive: ({ longWarmMs = Number.NaN, shortWarmMs = Number.NaN }) => ({ growth: longWarmMs / shortWarmMs }),
};

/** Runs up to the last step, which is interrupted when the worker stops. */
async function record(place: Place, which: keyof typeof STEPS): Promise<Figures> {
  await using bed = new Bed(place);
  const reached = Promise.withResolvers<void>();
  const long = longWith(which, (_run, _step, body) => {
    reached.resolve();
    return untilAborted(body);
  });
  await bed.work([long]);
  await bed.client.start(long, { steps: scaled(STEPS[which], place) });
  await reached.promise;
  return {};
}

async function measure(place: Place, which: keyof typeof STEPS): Promise<Figures> {
  const stopwatch = new Stopwatch();
  await using bed = new Bed(place, (store) => stopwatch.around(store));
  const times: { readonly totalMs: number; readonly loadMs: number }[] = [];
  for (let time = 0; time <= WARM_REPLAYS; time++) {
    const begun = Promise.withResolvers<number>();
    await bed.work([
      longWith(which, (_run, _step, body) => {
        begun.resolve(performance.now());
        return untilAborted(body);
      }),
    ]);
    const begunAt = await begun.promise;
    times.push({ totalMs: begunAt - stopwatch.askedAt, loadMs: stopwatch.answeredAt - stopwatch.askedAt });
    await bed.stopWork();
  }
  const [first, ...warm] = times;
  return {
    [`${which}Ms`]: first?.totalMs ?? Number.NaN,
    [`${which}WarmMs`]: median(warm.map(({ totalMs }) => totalMs)),
    [`${which}LoadMs`]: first?.loadMs ?? Number.NaN,
  };
}

/** Remembers when the claim that gave a run was asked for, and when it was answered. */
class Stopwatch {
  askedAt = 0;
  answeredAt = 0;

  around(store: Store): Store {
    return decorated(store, {
      claim: async (request) => {
        const askedAt = performance.now();
        const answer = await store.claim(request);
        if (answer.claims.length > 0) {
          this.askedAt = askedAt;
          this.answeredAt = performance.now();
        }
        return answer;
      },
    });
  }
}

function untilAborted({ signal }: StepContext): Promise<void> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
