import type { Database, RawDriver } from "./database.ts";
import { median, quantile } from "./measure.ts";

export interface RawRate {
  readonly commitsPerS: number;
  readonly rowsPerS: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Where the driver is measured: in which database, beside which store. */
interface RawPlace {
  readonly database: Database;
  readonly address: string;
}

const RAW_MS = 1_500;
const WARM_COMMITS = 100;

/** How fast the driver commits rows like those of a step, with the durability of the store. */
export async function rawRate(
  { database, address }: RawPlace,
  rowsPerCommit: number,
  ms: number = RAW_MS,
): Promise<RawRate> {
  const driver = await database.raw(address);
  try {
    return await rateOf(driver, driver.commit, rowsPerCommit, ms);
  } finally {
    await driver.close();
  }
}

/** The same with its rows as `jsonb`; undefined where nobody would. */
export async function rawJsonbRate(
  { database, address }: RawPlace,
  rowsPerCommit: number,
  ms: number,
): Promise<RawRate | undefined> {
  const driver = await database.raw(address);
  try {
    const { commitJsonb } = driver;
    return commitJsonb === undefined ? undefined : await rateOf(driver, commitJsonb, rowsPerCommit, ms);
  } finally {
    await driver.close();
  }
}

async function rateOf(
  driver: RawDriver,
  commit: (rows: number) => Promise<void>,
  rowsPerCommit: number,
  ms: number,
): Promise<RawRate> {
  await driver.untilSteady(async () => {
    for (let no = 0; no < WARM_COMMITS; no++) await commit(rowsPerCommit);
  });
  const startedAt = performance.now();
  const latencies = await latenciesUs(ms, () => commit(rowsPerCommit));
  const commitsPerS = (latencies.length / (performance.now() - startedAt)) * 1000;
  return {
    commitsPerS,
    rowsPerS: commitsPerS * rowsPerCommit,
    p50Us: median(latencies),
    p99Us: quantile(latencies, 0.99),
  };
}

/** What it takes to ask a server for nothing; undefined where there is no server. */
export async function roundTripUs({ database, address }: RawPlace, ms: number): Promise<number | undefined> {
  const driver = await database.raw(address);
  try {
    const { roundTrip } = driver;
    return roundTrip === undefined ? undefined : median(await latenciesUs(ms, roundTrip));
  } finally {
    await driver.close();
  }
}

async function latenciesUs(ms: number, act: () => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  for (const endsAt = performance.now() + ms; performance.now() < endsAt; ) {
    const at = performance.now();
    await act();
    latencies.push((performance.now() - at) * 1000);
  }
  return latencies;
}

/** Measures the driver before and after `act`, so that the ratio to it is of the same moment. */
export async function besideRaw<T>(
  { rowsPerCommit, ...place }: RawPlace & { readonly rowsPerCommit: number },
  act: () => Promise<T>,
): Promise<{ readonly result: T; readonly commitsPerS: number; readonly rowsPerS: number }> {
  const before = await rawRate(place, rowsPerCommit);
  const result = await act();
  const after = await rawRate(place, rowsPerCommit);
  return {
    result,
    commitsPerS: (before.commitsPerS + after.commitsPerS) / 2,
    rowsPerS: (before.rowsPerS + after.rowsPerS) / 2,
  };
}

/** As large as what the body of a step returns. */
export function rowOutput(): string {
  return JSON.stringify({ step: "charge", seq: 123_456, ok: true, at: Date.now(), pad: "x".repeat(40) });
}
