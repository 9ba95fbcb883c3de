/**
 * Four worker processes on one Postgres: killed at any moment and at each kind of call of the store, frozen, drained, cut off, some
 * of the times between an effect and its journal entry, while the server is restarted, its disk is full, callers start runs and send
 * signals in bursts, and operators press every button. Then all is let heal, and the evidence is judged.
 *
 * Defends P1, P2, P3, P4, P5, P6, P7; F10. Checks I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14, I15, I16, I17, I18, I19, I20, I21, I22, and
 * L1, L2, L3, L4, L5, L6.
 *
 * EVERSTEP_KILLS and EVERSTEP_RUNS make it longer, EVERSTEP_SEED=n repeats a plan, EVERSTEP_KEEP=1 keeps the evidence.
 */
import { expect, test } from "vitest";
import { campaign } from "./chaos/campaign.ts";
import { postgresArena } from "./chaos/postgres-arena.ts";
import { lineOf, missingIn } from "./chaos/summary.ts";
import { SEED, TESTED } from "./sizes.ts";

const KILLS = Number(process.env["EVERSTEP_KILLS"] ?? TESTED.chaos.postgres.kills);
const RUNS = Number(process.env["EVERSTEP_RUNS"] ?? TESTED.chaos.postgres.runs);
const REPEAT = `EVERSTEP_SEED=${SEED} EVERSTEP_KILLS=${KILLS} EVERSTEP_RUNS=${RUNS}`;

const OPTIONS = { timeout: 360_000 + KILLS * 400 + RUNS * 20 };

// Windows freezes no process.
test.skipIf(process.platform === "win32")(
  `${RUNS} runs survive what happens to workers and to Postgres`,
  OPTIONS,
  async () => {
    const arena = await postgresArena(SEED);
    const { problems, summary, zombies, seconds } = await campaign({
      arena,
      kills: KILLS,
      runs: RUNS,
      seed: SEED,
    });
    const verdict = `bodies begun by zombies ${zombies}, violations ${problems.length}, seed ${SEED}, ${seconds.toFixed(0)} s`;
    console.log(`${lineOf(summary)}, ${verdict}`);
    expect(problems, `${REPEAT} repeats it`).toEqual([]);
    expect(summary["runs accepted"]).toBeGreaterThanOrEqual(RUNS);
    // What never happened was not tested.
    expect(missingIn(summary), `${REPEAT} repeats it`).toEqual([]);
  },
);
