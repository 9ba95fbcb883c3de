/**
 * Measures everstep beside the raw driver of its database.
 *
 *     npm run bench -- [--store sqlite|postgres] [--only steps,c100] [--rounds 3] [--seed 1] [--folder /var/tmp] [--out results/x.json] [--quick]
 *
 * `--quick` runs a tenth of everything, to try the benchmarks themselves out: its figures mean nothing.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DATABASES, databaseNamed } from "./database.ts";
import { describeMachine } from "./machine.ts";
import { measureRound, type Round } from "./rounds.ts";
import { format, tableOf } from "./tables.ts";
import type { Workload } from "./workload.ts";
import { WORKLOADS } from "./workloads/all.ts";

const QUICK_SCALE = 0.1;

const { values: options } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    only: { type: "string" },
    rounds: { type: "string", default: "3" },
    seed: { type: "string", default: "1" },
    folder: { type: "string", default: tmpdir() },
    out: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});

function chosenWorkloads(): readonly Workload[] {
  const names = options.only?.split(",") ?? WORKLOADS.map(({ name }) => name);
  return names.map((name) => {
    const workload = WORKLOADS.find((candidate) => candidate.name === name);
    if (workload !== undefined) return workload;
    console.error(`no workload is called ${name}; there are ${WORKLOADS.map((known) => known.name).join()}`);
    return process.exit(2);
  });
}

function chosenDatabase(): (typeof DATABASES)[number] {
  const name = DATABASES.find((known) => known === options.store);
  if (name !== undefined) return name;
  console.error(`no store is called ${options.store}; there are ${DATABASES.join()}`);
  return process.exit(2);
}

function tell({ workload, round, figures, disk, load, seconds, failure }: Round): void {
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${format(value)}`);
  const { before, after } = disk;
  const noise = `${seconds.toFixed(0)} s, load ${format(load)}, fdatasync ${format(before.p50Us)} then ${format(after.p50Us)} µs`;
  console.log(`${workload} #${round}: ${failure ?? shown.join(", ")}  [${noise}]`);
}

const chosen = chosenWorkloads();
const databaseName = chosenDatabase();
const rounds = Number(options.rounds);
const seed = Number(options.seed);
const scale = options.quick ? QUICK_SCALE : 1;
const machine = describeMachine(options.folder);
const file = resolve(
  options.out ?? join(import.meta.dirname, "results", `${machine.at.slice(0, 19).replaceAll(":", "")}.json`),
);
const host = await (await databaseNamed(databaseName)).begin(options.folder);
console.log(
  `everstep ${machine.commit}, Node.js ${machine.node}, ${host.about}; ` +
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB; files in ${machine.folder} (${machine.fileSystem})`,
);

const measured: Round[] = [];
async function measureAll(): Promise<void> {
  const place = { databaseName, host, where: options.folder, seed, scale };
  for (let round = 1; round <= rounds; round++) {
    for (const workload of chosen) {
      const result = await measureRound(workload, round, place);
      measured.push(result);
      tell(result);
      mkdirSync(dirname(file), { recursive: true });
      const all = { machine, database: host.about, seed, scale, rounds: measured };
      writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
    }
  }
}

try {
  await measureAll();
} finally {
  await host.stop();
}

for (const workload of chosen) {
  const own = measured.filter((round) => round.workload === workload.name);
  console.log(`\n${tableOf(workload, own, databaseName)}`);
}
console.log(`\n${scale === 1 ? "" : "Quick: the figures mean nothing. "}Written to ${file}`);
