import { setTimeout as delay } from "node:timers/promises";
import type { Act } from "./arena.ts";
import { type Trap, wayOf } from "./crash-points.ts";
import type { NemesisOptions } from "./nemesis.ts";
import type { Random } from "../random.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** A process that was up for longer than so has been through everything. */
const LIFE_MAX_MS = 80;
/** Workers notice the death of another within about a second of their own life: between two rages somebody must live so long. */
export const CALM_MAX_MS = 1_300;
const SERIES_MIN_KILLS = 3;
const SERIES_MAX_KILLS = 14;
/** An aimed shot lets up to so many effects pass. */
const SKIP_MAX = 5;
/** A process comes to a trap within so long, or is killed elsewhere; one that has to let go of everything first gets longer. */
const TRAP_MS = 1_000;
const TRAP_LEAVING_MS = 12_000;
/** There are fewer freezes than kills: most are aimed, and each of these should hit. */
const FREEZE_AIMED = 0.75;
const FREEZE_AIMS_MAX = 3;
/** A worker gives its bodies 10 s, and its store 5 s to hear the goodbye. */
const DRAIN_MS = 25_000;

export interface TormentorOptions extends NemesisOptions {
  readonly random: Random;
  /** False: enough were killed for now. */
  readonly spend: () => boolean;
  /** Some that lie on one way: through the life of a process, to its end, or in its beginning. */
  readonly nextTraps: () => readonly Trap[];
  /** For how long the next one is frozen. */
  readonly frozenMs: () => number;
}

/** What happens to one of the processes. */
export class Tormentor {
  readonly #slot: WorkerSlot;
  readonly #options: TormentorOptions;

  constructor(slot: WorkerSlot, options: TormentorOptions) {
    this.#slot = slot;
    this.#options = options;
  }

  /** A swizzle of one is a freeze. */
  async torment(act: Act): Promise<void> {
    const { random, frozenMs } = this.#options;
    if (act === "drain") return this.#drain();
    if (act === "kill") return this.#killAgainAndAgain();
    if (random.chance(FREEZE_AIMED))
      await this.#aim("freezes between an effect and its entry", FREEZE_AIMS_MAX);
    await this.freeze();
    await delay(frozenMs());
    return this.thaw();
  }

  async freeze(): Promise<void> {
    const { ledger, tally } = this.#options;
    await this.#slot.ready;
    await ledger.froze(this.#slot.pid);
    this.#slot.freeze();
    tally.count("freezes");
  }

  async thaw(): Promise<void> {
    const { ledger, tally, ground } = this.#options;
    const { pid } = this.#slot;
    const isLive = await ground.isLive(pid).catch(() => undefined);
    this.#slot.thaw();
    ledger.thawed(pid);
    if (isLive !== undefined)
      tally.count(isLive ? "freezes that nobody noticed" : "freezes that were taken over");
  }

  async #killAgainAndAgain(): Promise<void> {
    const { random, spend, tally } = this.#options;
    for (let left = random.between(SERIES_MIN_KILLS, SERIES_MAX_KILLS); left > 0; left--) {
      if (!spend()) return delay(random.between(0, CALM_MAX_MS));
      if (!(await this.#approach())) await this.#slot.kill();
      tally.count("kills");
    }
  }

  async #drain(): Promise<void> {
    const { random, tally } = this.#options;
    await this.#slot.ready;
    await delay(random.between(0, LIFE_MAX_MS));
    await this.#slot.drain(DRAIN_MS);
    tally.count("drains");
  }

  /** True: it is dead already. */
  async #approach(): Promise<boolean> {
    const { random } = this.#options;
    const how = random.pick(["trapped", "trapped", "trapped", "aimed", "aimed", "alive", "alive", "young"]);
    if (how === "trapped") return this.#trap();
    if (how === "aimed") await this.#aim("kills between an effect and its entry");
    else {
      if (how === "alive") await this.#slot.ready;
      await delay(random.between(0, LIFE_MAX_MS));
    }
    return false;
  }

  async #trap(): Promise<boolean> {
    const { nextTraps, tally } = this.#options;
    const traps = nextTraps();
    await this.#slot.ready;
    const fallen = await (wayOf(traps[0]) === "beginning"
      ? this.#slot.trapNext(traps, TRAP_LEAVING_MS)
      : this.#slot.trap(traps, wayOf(traps[0]) === "end" ? TRAP_LEAVING_MS : TRAP_MS));
    if (fallen !== undefined) tally.count(fallen);
    return fallen !== undefined;
  }

  async #aim(name: string, timesMax: number = 1): Promise<void> {
    const { random, ledger, tally } = this.#options;
    await this.#slot.ready;
    for (let time = 0; time < timesMax; time++) {
      if (!(await ledger.aim(this.#slot.pid, random.between(0, SKIP_MAX)))) continue;
      tally.count(name);
      return;
    }
  }
}
