/**
 * The shop on its worst day: hundreds of orders, a payment service with troubles of its own, and a service that is killed with
 * SIGKILL again and again. Then the books are closed. Exits with 1 when anything does not balance.
 *
 *     npm run demo -- [seed] [--orders 300] [--kills 20] [--keep]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runDay, type Tally } from "./demo/day.ts";
import { makePlan } from "./demo/plan.ts";
import { progressOf, reportOf } from "./demo/report.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    orders: { type: "string", default: "300" },
    kills: { type: "string", default: "20" },
    keep: { type: "boolean", default: false },
  },
});
const planned = { orders: Number(values.orders), kills: Number(values.kills) };
const seed = Number(positionals[0] ?? Math.floor(Math.random() * 1_000_000));
if (![seed, planned.orders, planned.kills].every((number) => Number.isSafeInteger(number) && number > 0)) {
  console.error("usage: demo [seed] [--orders 300] [--kills 20] [--keep], whole numbers all");
  process.exit(2);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
process.once("SIGTERM", () => interrupted.abort());

const folder = mkdtempSync(join(tmpdir(), "everstep-demo-"));
console.log(`seed ${seed}: ${planned.orders} orders, ${planned.kills} kills`);
try {
  const day = await runDay(makePlan(seed, planned), {
    folder,
    onProgress: showProgress(),
    signal: interrupted.signal,
  });
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
  const { text, ok } = reportOf(day, planned);
  console.log(text);
  if (!ok && day.complaints !== "") console.log(`\nThe service said:\n${day.complaints.slice(-4_000)}`);
  console.log(`\n${(day.ms / 1000).toFixed(1)} s; the same plan again: npm run demo -- ${seed}`);
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.log("\ninterrupted");
  process.exitCode = 130;
} finally {
  if (values.keep) console.log(`the databases: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

/** One line that is written over, on a terminal; elsewhere a line every few seconds. */
function showProgress(): (tally: Tally) => void {
  const everyMs = process.stdout.isTTY ? 100 : 3_000;
  let shownAt = performance.now();
  return (tally) => {
    if (performance.now() - shownAt < everyMs) return;
    shownAt = performance.now();
    const line = progressOf(tally, planned);
    process.stdout.write(
      process.stdout.isTTY ? `\r\x1b[2K${line.slice(0, process.stdout.columns - 1)}` : `${line}\n`,
    );
  };
}
