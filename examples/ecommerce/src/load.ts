/**
 * How many orders the service takes, as one process on a SQLite file, and how long its customers wait for an answer: with a Stripe that
 * answers in 300 ms, and with one that takes 30 s. At each rate for ten seconds, faster and faster until it can't follow.
 *
 *     npm run load
 */
import { cpus, totalmem } from "node:os";
import { runStage, type Stage } from "./load/stage.ts";

const SECONDS = 10;
const SERIES = [
  { stripeMs: 300, rates: [25, 50, 100, 150, 200, 300, 400] },
  { stripeMs: 30_000, rates: [10, 25, 50, 100] },
] as const;

/** Answered later than that, customers go. */
const PATIENCE_MS = 2_000;

const [cpu] = cpus();
const gigabytes = Math.round(totalmem() / 2 ** 30);
console.log(
  `${new Date().toISOString().slice(0, 10)}: Node.js ${process.versions.node}, SQLite; ${cpus().length} × ${cpu?.model}, ${gigabytes} GB,`,
);
console.log(
  "shared by the service, the customers, and the stand-ins for Stripe, the mail server and Tinybird.\n",
);
console.log(
  "| Stripe | orders/s | accepted/s | answer p50 | p99 | completed | completed/s | last one done after |",
);
console.log("|---|---|---|---|---|---|---|---|");
for (const { stripeMs, rates } of SERIES) {
  for (const perSecond of rates) {
    const stage = await runStage({ stripeMs, perSecond, seconds: SECONDS });
    console.log(rowOf(stage));
    if (isSaturated(stage)) break;
  }
}

/** It lags behind, and so would lag ever more. */
function isSaturated({ accepted, perSecond, seconds, p99Ms, completedPerSecond }: Stage): boolean {
  return accepted < perSecond * seconds || p99Ms > PATIENCE_MS || completedPerSecond < 0.8 * perSecond;
}

function rowOf(stage: Stage): string {
  const cells = [
    `${stage.stripeMs / 1_000} s`,
    stage.perSecond,
    stage.acceptedPerSecond.toFixed(1),
    `${stage.p50Ms.toFixed(0)} ms`,
    `${stage.p99Ms.toFixed(0)} ms`,
    `${stage.completed} of ${stage.perSecond * stage.seconds}`,
    stage.completedPerSecond.toFixed(1),
    `${(stage.doneAfterMs / 1_000).toFixed(1)} s`,
  ];
  return `| ${cells.join(" | ")} |`;
}
