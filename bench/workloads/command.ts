import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Bed } from "../bed.ts";
import { quantile } from "../measure.ts";
import { order } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const FINISHED = 1_000_000;
const TIMES = 15;
const TEMPLATE = "template";

/** What people install: its packages as they are built. */
const COMMAND: string = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

export const command: Workload = {
  name: "command",
  about: "the command `everstep`, from its start to its end, on a store with 1,000,000 finished runs",
  metrics: [
    { key: "nodeMs", label: "node, of nothing, p50", unit: "ms" },
    { key: "versionMs", label: "everstep --version, p50", unit: "ms", atMost: 150 },
    { key: "listMs", label: "everstep list, p50", unit: "ms", atMost: 200 },
    { key: "stuckMs", label: "everstep list --status stuck,failed, p50", unit: "ms", atMost: 200 },
    { key: "showMs", label: "everstep show, p50", unit: "ms", atMost: 200 },
    { key: "prefixMs", label: "everstep why of a shortened id, p50", unit: "ms", atMost: 200 },
    { key: "statsMs", label: "everstep stats, p50", unit: "ms" },
    { key: "doctorMs", label: "everstep doctor, p50", unit: "ms" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is not built: npm run build`);
  await seed(place);
  const store = ["--store", place.address];
  const everstep = (...words: readonly string[]): Promise<number> => timed([COMMAND, ...words]);
  return {
    nodeMs: await timed(["--eval", "0"]),
    versionMs: await everstep("--version"),
    listMs: await everstep("list", ...store),
    stuckMs: await everstep("list", "--status", "stuck,failed", ...store),
    showMs: await everstep("show", TEMPLATE, ...store),
    prefixMs: await everstep("why", TEMPLATE.slice(0, -1), ...store),
    statsMs: await everstep("stats", ...store),
    doctorMs: await everstep("doctor", ...store),
  };
}

async function seed(place: Place): Promise<void> {
  await using bed = new Bed(place);
  await bed.work([order]);
  await (await bed.client.start(order, null, { id: TEMPLATE })).result();
  const { database, address, seed: number } = place;
  await database.seedFinished(address, { template: TEMPLATE, copies: scaled(FINISHED, place), seed: number });
}

async function timed(argv: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < TIMES; time++) {
    const startedAt = performance.now();
    await promisify(execFile)(process.execPath, [...argv]);
    times.push(performance.now() - startedAt);
  }
  return quantile(times, 0.5);
}
