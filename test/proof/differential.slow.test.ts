/**
 * S1 to S9, P4 for whole programs: memory, SQLite and Postgres give the same dump of each, also when its processes die; and the rows that
 * their transactions wrote are those of their journals (I8).
 */
import { expect, inject, test } from "vitest";
import { differential } from "./differential/differential.ts";
import { SEED, TESTED } from "./sizes.ts";

test(`EVERSTEP_SEED=${SEED}: the same programs come to the same on every store`, {
  timeout: 300_000,
}, async () => {
  const found = await differential({
    ...TESTED.differential,
    seed: String(SEED),
    databaseUrl: inject("databaseUrl"),
  });
  console.log(`${found.programs} programs, crashes ${JSON.stringify(found.crashes)}`);
  expect(found.violations, `EVERSTEP_SEED=${SEED}`).toEqual([]);
  expect(Object.values(found.crashes)).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
  expect(Math.min(...Object.values(found.crashes))).toBeGreaterThan(0);
});
