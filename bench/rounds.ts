/** Rounds of workloads: each phase in fresh processes, each round of a workload on a fresh store. */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DatabaseName, Host } from "./database.ts";
import { type DiskLatency, fdatasyncLatency } from "./measure.ts";
import { figuresOfPhase } from "./phase.ts";
import type { Figures, Workload } from "./workload.ts";

export interface RoundOptions {
  readonly databaseName: DatabaseName;
  readonly host: Host;
  /** Where the files are made: on a real disk. */
  readonly where: string;
  readonly seed: number;
  readonly scale: number;
}

export interface Round {
  readonly workload: string;
  readonly round: number;
  readonly figures: Figures;
  /** Why there are no figures, or not all. */
  readonly failure?: string;
  /** A round that others disturbed shows here. */
  readonly disk: { readonly before: DiskLatency; readonly after: DiskLatency };
  readonly load: number;
  readonly seconds: number;
}

/** A disk and a machine that nobody else uses look like this; waited for, but not for ever. */
const QUIET = { p50Us: 250, p99Us: 1_500, loadPerCore: 0.75, waits: 15, waitMs: 1_000 };

export async function measureRound(workload: Workload, round: number, options: RoundOptions): Promise<Round> {
  const folder = mkdtempSync(join(options.where, `everstep-bench-${workload.name}-`));
  try {
    const before = await quiet(folder);
    const [load = 0] = loadavg();
    const startedAt = performance.now();
    const outcome = await figuresOf(workload, folder, options);
    const seconds = (performance.now() - startedAt) / 1000;
    const disk = { before, after: fdatasyncLatency(folder) };
    return { workload: workload.name, round, ...outcome, disk, load, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function figuresOf(
  workload: Workload,
  folder: string,
  { host, databaseName, seed, scale }: RoundOptions,
): Promise<Pick<Round, "figures" | "failure">> {
  let figures: Figures = {};
  let address = await host.newAddress(folder);
  const addresses = [address];
  try {
    for (const [no, { name, anew = false, processes = 1, merge }] of workload.phases.entries()) {
      if (anew && no > 0) addresses.push((address = await host.newAddress(folder)));
      const order = { workload: workload.name, phase: name, databaseName, address, folder, seed, scale };
      const outcome = await figuresOfPhase(order, processes);
      if (typeof outcome === "string") return { figures, failure: `${name}: ${outcome}` };
      figures = { ...figures, ...(merge?.(outcome) ?? outcome.at(-1)) };
    }
    return { figures: { ...figures, ...workload.derive?.(figures) } };
  } finally {
    for (const used of addresses) await host.discard(used);
  }
}

/** Waits for a quiet moment of the machine, and answers what the disk looks like in it. */
async function quiet(folder: string): Promise<DiskLatency> {
  for (let wait = 0; ; wait++) {
    const latency = fdatasyncLatency(folder);
    const [load = 0] = loadavg();
    const isQuiet =
      latency.p50Us < QUIET.p50Us && latency.p99Us < QUIET.p99Us && load < 2 * QUIET.loadPerCore;
    if (isQuiet || wait >= QUIET.waits) return latency;
    await delay(QUIET.waitMs);
  }
}
