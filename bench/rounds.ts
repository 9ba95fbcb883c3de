/** Rounds of workloads: each phase in a fresh process, each round of a workload on a fresh file. */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type DiskLatency, fdatasyncLatency } from "./measure.ts";
import type { PhaseNews, PhaseOrder } from "./phase-process.ts";
import type { Figures, Workload } from "./workload.ts";

export interface RoundOptions {
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

const PROCESS_MAX_MS = 600_000;
/** A disk and a machine that nobody else uses look like this; waited for, but not for ever. */
const QUIET = { p50Us: 250, p99Us: 1_500, loadPerCore: 0.75, waits: 15, waitMs: 1_000 };

export async function measureRound(workload: Workload, round: number, options: RoundOptions): Promise<Round> {
  const folder = mkdtempSync(join(options.where, `everstep-bench-${workload.name}-`));
  try {
    const before = await quiet(folder);
    const [load = 0] = loadavg();
    const startedAt = performance.now();
    const outcome = await figuresOf(workload, { ...options, folder });
    const seconds = (performance.now() - startedAt) / 1000;
    const disk = { before, after: fdatasyncLatency(folder) };
    return { workload: workload.name, round, ...outcome, disk, load, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type FolderOptions = RoundOptions & { readonly folder: string };

async function figuresOf(
  workload: Workload,
  { folder, seed, scale }: FolderOptions,
): Promise<Pick<Round, "figures" | "failure">> {
  let figures: Figures = {};
  for (const { name } of workload.phases) {
    const order = {
      workload: workload.name,
      phase: name,
      folder,
      file: join(folder, "store.db"),
      seed,
      scale,
    };
    const outcome = await phaseFigures(order);
    if (typeof outcome === "string") return { figures, failure: `${name}: ${outcome}` };
    figures = { ...figures, ...outcome };
  }
  return { figures: { ...figures, ...workload.derive?.(figures) } };
}

/** The figures of one phase; none of a process that wished to be killed; a text when it failed. */
function phaseFigures(order: PhaseOrder): Promise<Figures | string> {
  const program = fileURLToPath(new URL("phase-process.ts", import.meta.url));
  const child = fork(program, [JSON.stringify(order)], {
    execArgv: ["--conditions=@everstep/source", "--expose-gc", "--no-warnings"],
  });
  let figures: Figures | undefined;
  child.on("message", (message) => {
    const news = message as PhaseNews;
    figures = news.figures ?? {};
    if (news.killMe === true) child.kill("SIGKILL");
  });
  const tooLate = setTimeout(() => child.kill("SIGKILL"), PROCESS_MAX_MS);
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      clearTimeout(tooLate);
      resolve(figures ?? `its process ended without figures (code ${code}, signal ${signal})`);
    });
  });
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
