import { fdatasyncLatency } from "../measure.ts";
import { rawJsonbRate, rawRate, roundTripUs } from "../raw-rate.ts";
import type { Figures, Place, Workload } from "../workload.ts";

const RAW_MS = 4_000;

export const raw: Workload = {
  name: "raw",
  about:
    "the limits: the driver over one connection, with the durability of the store, and the disk under it",
  metrics: [
    { key: "fdatasyncUs", label: "fdatasync of 4 KiB, p50", unit: "µs" },
    { key: "roundTripUs", label: "round trip (SELECT 1), p50", unit: "µs" },
    { key: "singleUs", label: "commit of 1 row, p50", unit: "µs" },
    { key: "singlePerS", label: "commits of 1 row", unit: "/s" },
    { key: "batchUs", label: "commit of 100 rows, p50", unit: "µs" },
    { key: "batchP99Us", label: "commit of 100 rows, p99", unit: "µs" },
    { key: "rowsPerS", label: "rows, 100 a commit", unit: "/s" },
    { key: "jsonbRowsPerS", label: "rows as jsonb, 100 a commit", unit: "/s" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  const ms = RAW_MS * place.scale;
  const single = await rawRate(place, 1, ms);
  const batch = await rawRate(place, 100, ms);
  const jsonb = await rawJsonbRate(place, 100, ms);
  const roundTrip = await roundTripUs(place, ms);
  return {
    fdatasyncUs: fdatasyncLatency(place.folder).p50Us,
    ...(roundTrip !== undefined && { roundTripUs: roundTrip }),
    singleUs: single.p50Us,
    singlePerS: single.commitsPerS,
    batchUs: batch.p50Us,
    batchP99Us: batch.p99Us,
    rowsPerS: batch.rowsPerS,
    ...(jsonb !== undefined && { jsonbRowsPerS: jsonb.rowsPerS }),
  };
}
