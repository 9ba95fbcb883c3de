import { setTimeout as delay } from "node:timers/promises";
import type { Act } from "./arena.ts";
import type { Ground } from "./ground.ts";
import type { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import type { Tally } from "./tally.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** A process that was up for longer than so has been through everything. */
const LIFE_MAX_MS = 80;
/** Workers notice the death of another within about a second of their own life: between two rages somebody must live so long. */
const CALM_MAX_MS = 1_300;
const SERIES_MIN_KILLS = 3;
const SERIES_MAX_KILLS = 14;
/** An aimed shot lets up to so many effects pass. */
const SKIP_MAX = 5;
/** Frozen for so many leases. Every other one is back before anybody misses it. */
const UNNOTICED_LEASES = [0.5, 0.6] as const;
const FREEZE_LEASES = [1.2, 3] as const;
/** There are fewer freezes than kills: most are aimed, and each of these should hit. */
const FREEZE_AIMED = 0.75;
const FREEZE_AIMS_MAX = 3;
const SWIZZLE_GAP_MAX_MS = 400;
/** A worker gives its bodies 10 s, and its store 5 s to hear the goodbye. */
const DRAIN_MS = 25_000;
const PACE_MS = 20;
/** After enough runs, what is still missing may happen for so long. */
const OVERTIME_MS = 30_000;

export interface NemesisOptions {
  readonly slots: readonly [WorkerSlot, ...WorkerSlot[]];
  readonly ledger: Ledger;
  readonly ground: Ground;
  readonly tally: Tally;
  readonly seed: number;
  readonly kills: number;
  readonly acts: readonly [Act, ...Act[]];
  readonly leaseMs: number;
  /** Which part of the campaign is over, up to 1 or more, but for the kills. */
  readonly progress: () => number;
}

/** Torments processes: some of them at a time, each in its own way, then nobody for a moment. */
export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #random: Random;
  readonly #tormentors: readonly Tormentor[];
  /** Acts to come: all of them in each round through it. */
  #deck: Act[] = [];
  #killed = 0;
  #freezes = 0;
  #enoughAt: number | undefined;

  constructor(options: NemesisOptions) {
    const { slots, seed, acts, tally } = options;
    this.#options = options;
    this.#random = new Random(seed);
    const spend = (): boolean => this.#spend();
    const frozenMs = (): number =>
      this.#frozenMs(this.#freezes++ % 2 === 0 ? UNNOTICED_LEASES : FREEZE_LEASES);
    this.#tormentors = slots.map(
      (slot, index) =>
        new Tormentor(slot, { ...options, spend, frozenMs, random: new Random(seed + 101 * (index + 1)) }),
    );
    tally.announce("kills", "kills between an effect and its entry");
    if (acts.includes("drain")) tally.announce("drains");
    if (acts.includes("swizzle")) tally.announce("swizzles");
    if (acts.includes("freeze"))
      tally.announce(
        "freezes",
        "freezes between an effect and its entry",
        "freezes that were taken over",
        "freezes that nobody noticed",
      );
  }

  /** Settles when it has killed as often as it was told, everything else has happened, and the campaign is over. */
  async rage(): Promise<void> {
    while (this.#killed < this.#options.kills || this.#isMissed()) {
      const victims = this.#random.some(this.#tormentors);
      const acts = victims.map(() => this.#draw());
      if (acts.includes("swizzle")) {
        this.#deck.push(...acts.toSpliced(acts.indexOf("swizzle"), 1));
        await this.#swizzle(victims.length > 1 ? victims : this.#tormentors);
      } else {
        await Promise.all(victims.map((victim, index) => victim.torment(acts[index] ?? "kill")));
      }
      await delay(victims.length > 1 ? this.#random.between(0, CALM_MAX_MS) : PACE_MS);
    }
  }

  /** The campaign is not over, or something has not happened yet, and there is still time for it. */
  #isMissed(): boolean {
    const { progress, tally } = this.#options;
    if (progress() < 1) return true;
    this.#enoughAt ??= performance.now();
    const isLate = performance.now() - this.#enoughAt > OVERTIME_MS;
    return !isLate && Object.values(tally.counts).includes(0);
  }

  #draw(): Act {
    // Nothing is waited for any more but the last kills.
    if (!this.#isMissed()) return "kill";
    if (this.#deck.length === 0) this.#deck = [...this.#random.shuffled(this.#options.acts)];
    return this.#deck.pop() ?? "kill";
  }

  /** All of them stop, one by one, and go on in another order. */
  async #swizzle(victims: readonly Tormentor[]): Promise<void> {
    const random = this.#random;
    const gap = (): Promise<void> => delay(random.between(0, SWIZZLE_GAP_MAX_MS));
    for (const victim of random.shuffled(victims)) {
      await victim.freeze();
      await gap();
    }
    await delay(this.#frozenMs(FREEZE_LEASES));
    for (const victim of random.shuffled(victims)) {
      await victim.thaw();
      await gap();
    }
    this.#options.tally.count("swizzles");
  }

  #frozenMs([min, max]: readonly [number, number]): number {
    return Math.round((min + this.#random.next() * (max - min)) * this.#options.leaseMs);
  }

  /** Kills are spread over the campaign. */
  #spend(): boolean {
    const { kills, progress } = this.#options;
    if (this.#killed >= kills || this.#killed / kills > progress()) return false;
    this.#killed += 1;
    return true;
  }
}

interface TormentorOptions extends NemesisOptions {
  readonly random: Random;
  /** False: enough were killed for now. */
  readonly spend: () => boolean;
  /** For how long the next one is frozen. */
  readonly frozenMs: () => number;
}

/** What happens to one of them. */
class Tormentor {
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
      await this.#approach();
      await this.#slot.kill();
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

  async #approach(): Promise<void> {
    const { random } = this.#options;
    const how = random.pick(["aimed", "aimed", "alive", "alive", "young"]);
    if (how === "aimed") return this.#aim("kills between an effect and its entry");
    if (how === "alive") await this.#slot.ready;
    return delay(random.between(0, LIFE_MAX_MS));
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
