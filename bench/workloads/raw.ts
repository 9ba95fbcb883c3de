import { fdatasyncLatency } from "../measure.ts";
import { rawRate } from "../raw-driver.ts";
import type { Figures, Place, Workload } from "../workload.ts";

const RAW_MS = 4_000;

export const raw: Workload = {
  name: "raw",
  about: "the limits: better-sqlite3 in WAL mode with synchronous=FULL, and the disk under it",
  metrics: [
    { key: "fdatasyncUs", label: "fdatasync of 4 KiB, p50", unit: "µs" },
    { key: "singleUs", label: "commit of 1 row, p50", unit: "µs" },
    { key: "singlePerS", label: "commits of 1 row", unit: "/s" },
    { key: "batchUs", label: "commit of 100 rows, p50", unit: "µs" },
    { key: "batchP99Us", label: "commit of 100 rows, p99", unit: "µs" },
    { key: "rowsPerS", label: "rows, 100 a commit", unit: "/s" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure({ folder, scale }: Place): Promise<Figures> {
  const single = await rawRate(folder, 1, RAW_MS * scale);
  const batch = await rawRate(folder, 100, RAW_MS * scale);
  return {
    fdatasyncUs: fdatasyncLatency(folder).p50Us,
    singleUs: single.p50Us,
    singlePerS: single.commitsPerS,
    batchUs: batch.p50Us,
    batchP99Us: batch.p99Us,
    rowsPerS: batch.rowsPerS,
  };
}
