import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** The smallest of the values that at least this part of all is not greater than; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

/** Between the two in the middle when there is no middle one; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const half = (sorted.length - 1) / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.floor(half)], sorted[Math.ceil(half)]];
  return (low + high) / 2;
}

/** What was measured is not what was meant to be: better no figure than a wrong one. */
export function insist(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}

async function msOf(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}

/** Latencies of one call after the other. */
export async function oneByOne(count: number, act: (no: number) => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  for (let no = 0; no < count; no++) latencies.push(await msOf(() => act(no)));
  return latencies;
}

/** Latencies of calls of which `width` are under way at a time, and how long all of it took. */
export async function sideBySide(
  { width, isOver }: { readonly width: number; readonly isOver: (begun: number, ms: number) => boolean },
  act: (no: number) => Promise<unknown>,
): Promise<{ readonly latencies: readonly number[]; readonly ms: number }> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (!isOver(begun, performance.now() - startedAt)) {
      begun += 1;
      const no = begun;
      latencies.push(await msOf(() => act(no)));
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { latencies, ms: performance.now() - startedAt };
}

export async function until(isTrue: () => boolean | Promise<boolean>, pollMs = 2): Promise<void> {
  while (!(await isTrue())) await delay(pollMs);
}

/** Processor time, in µs, since this was called: of this process, and of all processes of the machine. */
export function cpuMeter(): () => { readonly ownUs: number; readonly machineUs: number } {
  const own = process.cpuUsage();
  const machine = busyUs();
  return () => {
    const { user, system } = process.cpuUsage(own);
    return { ownUs: user + system, machineUs: busyUs() - machine };
  };
}

function busyUs(): number {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) * 1000, 0);
}

/** What the process holds in memory after a thorough garbage collection. */
export async function memoryMb(): Promise<{ readonly rssMb: number; readonly heapMb: number }> {
  for (let time = 0; time < 3; time++) {
    globalThis.gc?.();
    await delay(100);
  }
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readStatus()) ?? [];
  const { rss, heapUsed } = process.memoryUsage();
  const rssMb = kilobytes === undefined ? rss / 2 ** 20 : Number(kilobytes) / 1024;
  return { rssMb, heapMb: heapUsed / 2 ** 20 };
}

/** Samples until the answer is called, which tells the most that was seen; garbage is included. */
export function memoryPeak(): () => { readonly rssMb: number; readonly heapMb: number } {
  let most = { rssMb: 0, heapMb: 0 };
  const sample = (): void => {
    const { rss, heapUsed } = process.memoryUsage();
    most = { rssMb: Math.max(most.rssMb, rss / 2 ** 20), heapMb: Math.max(most.heapMb, heapUsed / 2 ** 20) };
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    sample();
    return most;
  };
}

function readStatus(): string {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return ""; // not Linux
  }
}

export interface DiskLatency {
  readonly p50Us: number;
  readonly p99Us: number;
}

const SAMPLE_MS = 10;
const BLOCK_BYTES = 4096;
const BLOCKS = 256;
const PROBE_MS = 300;

/** What the disk takes to make a block durable, at this moment. */
export function fdatasyncLatency(folder: string): DiskLatency {
  const path = join(folder, "probe.bin");
  const fd = openSync(path, "w");
  try {
    writeSync(fd, Buffer.alloc(BLOCK_BYTES * BLOCKS));
    fdatasyncSync(fd);
    const latencies: number[] = [];
    for (const endsAt = performance.now() + PROBE_MS; performance.now() < endsAt; ) {
      const block = Buffer.alloc(BLOCK_BYTES, latencies.length);
      writeSync(fd, block, 0, BLOCK_BYTES, (latencies.length % BLOCKS) * BLOCK_BYTES);
      const startedAt = performance.now();
      fdatasyncSync(fd);
      latencies.push((performance.now() - startedAt) * 1000);
    }
    return { p50Us: quantile(latencies, 0.5), p99Us: quantile(latencies, 0.99) };
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}
