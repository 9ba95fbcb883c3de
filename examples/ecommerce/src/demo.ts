/**
 * The shop on its worst day: hundreds of orders, a payment service with troubles of its own, and a service that is killed with
 * SIGKILL again and again: one process of it on a SQLite file, or four on Postgres. Then the books are closed. Exits with 1 when
 * anything does not balance.
 *
 *     npm run demo -- [seed] [--postgres] [--orders 300] [--kills 20] [--keep]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runDay, type Tally } from "./demo/day.ts";
import { makePlan } from "./demo/plan.ts";
import { postgresPremises, sqlitePremises } from "./demo/premises.ts";
import { progressOf, reportOf } from "./demo/report.ts";

const { values, positionals } = parseArgs({
  // pnpm hands over the `--` that npm keeps for itself; behind it no option would be one.
  args: process.argv.slice(2).filter((word) => word !== "--"),
  allowPositionals: true,
  options: {
    orders: { type: "string", default: "300" },
    kills: { type: "string", default: "20" },
    postgres: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const planned = { orders: Number(values.orders), kills: Number(values.kills) };
const [seedText, ...rest] = positionals;
const seed = Number(seedText ?? Math.floor(Math.random() * 1_000_000));
if (
  rest.length > 0 ||
  ![seed, planned.orders, planned.kills].every((number) => Number.isSafeInteger(number) && number > 0)
) {
  console.error("usage: demo [seed] [--postgres] [--orders 300] [--kills 20] [--keep], whole numbers all");
  process.exit(2);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
process.once("SIGTERM", () => interrupted.abort());

const again = `${seed}${values.postgres ? " --postgres" : ""}`;
const folder = mkdtempSync(join(tmpdir(), "everstep-demo-"));
console.log(`seed ${seed}: ${planned.orders} orders, ${planned.kills} kills`);
const premises = values.postgres ? await postgresPremises() : sqlitePremises(folder);
try {
  const day = await runDay(makePlan(seed, planned), {
    premises,
    folder,
    onProgress: showProgress(),
    signal: interrupted.signal,
  });
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
  const { text, ok } = reportOf(day, planned);
  console.log(text);
  if (!ok && day.complaints !== "") console.log(`\nThe service said:\n${day.complaints.slice(-4_000)}`);
  console.log(`\n${(day.ms / 1000).toFixed(1)} s; the same plan again: npm run demo -- ${again}`);
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.log("\ninterrupted");
  process.exitCode = 130;
} finally {
  const kept = await premises.leave({ keep: values.keep });
  if (values.keep) console.log(`kept: ${folder}${kept === undefined ? "" : `, ${kept}`}`);
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
