import { setTimeout as delay } from "node:timers/promises";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** A process that was up for longer than so has been through everything. */
const LIFE_MAX_MS = 80;
/** Workers notice the death of another within about a second of their own life: between two rages somebody must live so long. */
const CALM_MAX_MS = 1_300;
const RAGE_KILLS_MAX = 14;
/** An aimed shot lets up to so many effects pass. */
const SKIP_MAX = 5;

export interface NemesisOptions {
  readonly slots: readonly [WorkerSlot, WorkerSlot];
  readonly ledger: Ledger;
  readonly random: Random;
  readonly kills: number;
}

/** Kills processes: one of them again and again, or both, then nobody for a moment. */
export class Nemesis {
  readonly #options: NemesisOptions;
  #left: number;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#left = options.kills;
  }

  /** Settles when it has killed as often as it was told. */
  async rage(): Promise<void> {
    const { slots, random } = this.#options;
    while (this.#left > 0) {
      const victims = random.pick([[slots[0]], [slots[1]], slots]);
      const kills = Math.min(this.#left, random.between(3, RAGE_KILLS_MAX) * victims.length);
      this.#left -= kills;
      const share = Math.ceil(kills / victims.length);
      await Promise.all(
        victims.map((victim, index) => this.#torment(victim, index === 0 ? share : kills - share)),
      );
      if (victims.length > 1) await delay(random.between(0, CALM_MAX_MS));
    }
  }

  async #torment(victim: WorkerSlot, kills: number): Promise<void> {
    const { random } = this.#options;
    for (let left = kills; left > 0; left--) {
      const how = random.pick(["aimed", "aimed", "alive", "alive", "young"]);
      if (how === "young") await delay(random.between(0, LIFE_MAX_MS));
      else await this.#approach(victim, how);
      await victim.kill();
    }
  }

  async #approach(victim: WorkerSlot, how: "aimed" | "alive"): Promise<void> {
    const { random, ledger } = this.#options;
    await victim.ready;
    if (how === "aimed") await ledger.aim(victim.pid, random.between(0, SKIP_MAX));
    else await delay(random.between(0, LIFE_MAX_MS));
  }
}
