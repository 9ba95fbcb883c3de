/**
 * Real processes, real SIGKILLs, one SQLite file. Two workers are killed again and again, at any moment, at each kind of call of the
 * store, and between an effect and its journal entry, while the disk is full now and then, callers start runs and send signals in
 * bursts, and operators press every button; then all is let heal, and the evidence is judged.
 *
 * Defends P1, P2, P3, P4, P5, P6, P7; F10. Checks I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14, I15, I16, I17, I18, I19, I20, I21, I22, and
 * L1, L2, L3, L4, L5, L6.
 *
 * EVERSTEP_KILLS=10000 kills more often, EVERSTEP_SEED=n repeats a plan, EVERSTEP_KEEP=1 keeps the evidence.
 */
import { expect, test } from "vitest";
import { campaign } from "./chaos/campaign.ts";
import { sqliteArena } from "./chaos/sqlite-arena.ts";
import { lineOf, missingIn } from "./chaos/summary.ts";
import { SEED, TESTED } from "./sizes.ts";

const KILLS = Number(process.env["EVERSTEP_KILLS"] ?? TESTED.chaos.sqlite.kills);

const OPTIONS = { timeout: 300_000 + KILLS * 500 };

// Windows freezes no process, and gives it no time to end.
test.skipIf(process.platform === "win32")(
  `runs survive ${KILLS} kills of their workers`,
  OPTIONS,
  async () => {
    const { problems, summary, seconds } = await campaign({
      arena: sqliteArena(),
      kills: KILLS,
      runs: TESTED.chaos.sqlite.runs,
      seed: SEED,
    });
    console.log(`${lineOf(summary)}, violations ${problems.length}, seed ${SEED}, ${seconds.toFixed(0)} s`);
    expect(problems, `EVERSTEP_SEED=${SEED} EVERSTEP_KILLS=${KILLS}`).toEqual([]);
    expect(summary["kills"]).toBeGreaterThanOrEqual(KILLS);
    // What never happened was not tested.
    expect(missingIn(summary)).toEqual([]);
  },
);
