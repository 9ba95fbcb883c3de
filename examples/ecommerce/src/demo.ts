/**
 * An hour of a busy day at the shop, in a minute: customers, a payment service, a mail server and a warehouse with troubles of their
 * own, and a service that is killed with SIGKILL again and again: one process of it on a SQLite file, or four on Postgres. Then the
 * books are closed. Exits with 1 when anything does not balance.
 *
 *     npm run demo -- [seed] [--postgres] [--orders 520] [--kills 20] [--no-figures] [--stay] [--keep]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Tally } from "./demo/course.ts";
import { runDay } from "./demo/day.ts";
import { engineIsReady } from "./demo/engine.ts";
import { startNeighbours } from "./demo/neighbours.ts";
import { makePlan } from "./demo/plan.ts";
import { postgresPremises, sqlitePremises } from "./demo/premises.ts";
import { progressOf, reportOf } from "./demo/report.ts";

const { values, positionals } = parseArgs({
  // pnpm hands over the `--` that npm keeps for itself; behind it no option would be one.
  args: process.argv.slice(2).filter((word) => word !== "--"),
  allowPositionals: true,
  options: {
    orders: { type: "string", default: "520" },
    kills: { type: "string", default: "20" },
    postgres: { type: "boolean", default: false },
    "no-figures": { type: "boolean", default: false },
    stay: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const size = { orders: Number(values.orders), kills: Number(values.kills) };
const [seedText, ...rest] = positionals;
const seed = Number(seedText ?? Math.floor(Math.random() * 1_000_000));
if (
  rest.length > 0 ||
  ![seed, size.orders, size.kills].every((number) => Number.isSafeInteger(number) && number > 0)
) {
  const options = "[--postgres] [--orders 520] [--kills 20] [--no-figures] [--stay] [--keep]";
  console.error(`usage: demo [seed] ${options}, whole numbers all`);
  process.exit(2);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
process.once("SIGTERM", () => interrupted.abort());

const plan = makePlan(seed, size);
const folder = mkdtempSync(join(tmpdir(), "everstep-demo-"));
const leave: (() => Promise<unknown>)[] = [];
try {
  const figures = !values["no-figures"] && (await engineIsReady());
  const premises = values.postgres ? await postgresPremises() : sqlitePremises(folder);
  leave.push(async () => {
    const kept = await premises.leave({ keep: values.keep });
    if (values.keep) console.log(`kept: ${folder}${kept === undefined ? "" : `, ${kept}`}`);
  });
  const neighbours = await startNeighbours({ figures });
  leave.push(() => neighbours.end());
  const length = `${(plan.ms / 1000).toFixed(0)} s`;
  console.log(
    `seed ${seed}: ${size.orders} orders in ${length}, with a peak of 40 a second; ${size.kills} kills`,
  );
  if (neighbours.page !== undefined) console.log(`  live figures        ${neighbours.page.url}`);
  console.log(`  customers' mails    ${neighbours.mail.url}`);
  const onProgress = showProgress(size.orders);
  const day = await runDay(plan, { premises, neighbours, folder, onProgress, signal: interrupted.signal });
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
  const { text, ok } = reportOf(day, plan);
  console.log(text);
  if (!ok && day.complaints !== "") console.log(`\nThe service said:\n${day.complaints.slice(-4_000)}`);
  const again = `${seed}${values.postgres ? " --postgres" : ""} --orders ${size.orders} --kills ${size.kills}`;
  console.log(`\n${(day.ms / 1000).toFixed(1)} s; the same plan again: npm run demo -- ${again}`);
  process.exitCode = ok ? 0 : 1;
  if (values.stay) {
    console.log("The pages stay open until Ctrl-C.");
    if (!interrupted.signal.aborted) await once(interrupted.signal, "abort");
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.log("\ninterrupted");
  process.exitCode = 130;
} finally {
  for (const close of leave.toReversed()) await close();
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}

/** One line that is written over, on a terminal; elsewhere a line every few seconds. */
function showProgress(orders: number): (tally: Tally) => void {
  const everyMs = process.stdout.isTTY ? 100 : 5_000;
  let shownAt = performance.now();
  return (tally) => {
    if (performance.now() - shownAt < everyMs) return;
    shownAt = performance.now();
    const line = progressOf(tally, orders);
    process.stdout.write(
      process.stdout.isTTY ? `\r\x1b[2K${line.slice(0, process.stdout.columns - 1)}` : `${line}\n`,
    );
  };
}
