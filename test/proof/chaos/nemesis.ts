import { setTimeout as delay } from "node:timers/promises";
import type { Act } from "./arena.ts";
import { nameOf, type Trap, TRAPS, wayOf } from "./crash-points.ts";
import type { Ground } from "./ground.ts";
import type { Ledger } from "./ledger.ts";
import { Random } from "../random.ts";
import type { Tally } from "./tally.ts";
import { CALM_MAX_MS, Tormentor } from "./tormentor.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** Frozen for so many leases. Every other one is back before anybody misses it. */
const UNNOTICED_LEASES = [0.5, 0.6] as const;
const FREEZE_LEASES = [1.2, 3] as const;
const SWIZZLE_GAP_MAX_MS = 400;
const PACE_MS = 20;
/** A process meets the first of so many. */
const TRAPS_MAX = 8;
/** After enough runs and kills, what is still missing may happen for so long. */
const OVERTIME_MS = 240_000;

export interface NemesisOptions {
  readonly slots: readonly [WorkerSlot, ...WorkerSlot[]];
  readonly ledger: Ledger;
  readonly ground: Ground;
  readonly tally: Tally;
  readonly seed: number;
  readonly kills: number;
  readonly acts: readonly Act[];
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
    const nextTraps = (): readonly Trap[] => this.#nextTraps();
    const frozenMs = (): number =>
      this.#frozenMs(this.#freezes++ % 2 === 0 ? UNNOTICED_LEASES : FREEZE_LEASES);
    this.#tormentors = slots.map(
      (slot, index) =>
        new Tormentor(slot, {
          ...options,
          spend,
          nextTraps,
          frozenMs,
          random: new Random(seed + 101 * (index + 1)),
        }),
    );
    tally.announce("kills", "kills between an effect and its entry", ...TRAPS.map(nameOf));
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
        await this.#torment(victims, acts);
      }
      await delay(victims.length > 1 ? this.#calmMs() : PACE_MS);
    }
  }

  /** Nobody dies for so long that the others notice who did, or hardly at all. */
  #calmMs(): number {
    return this.#random.chance(0.5) ? this.#random.between(0, CALM_MAX_MS) : PACE_MS;
  }

  /** While some are frozen or drained, which takes long, the others die again and again. */
  async #torment(victims: readonly Tormentor[], acts: readonly Act[]): Promise<void> {
    const killed = victims.filter((_, index) => acts[index] === "kill");
    const over = new AbortController();
    const others = victims.map(async (victim, index) => {
      if (!killed.includes(victim)) await victim.torment(acts[index] ?? "kill");
    });
    const all = Promise.all(others).finally(() => over.abort());
    const killing = killed.map(async (victim) => {
      do await victim.torment("kill");
      while (!over.signal.aborted && killed.length < victims.length);
    });
    await Promise.all([all, ...killing]);
  }

  /** The campaign is not over, or something has not happened yet, and there is still time for it. */
  #isMissed(): boolean {
    const { kills, progress, tally } = this.#options;
    if (progress() < 1) return true;
    if (!Object.values(tally.counts).includes(0)) return false;
    if (this.#killed < kills) return true;
    this.#enoughAt ??= performance.now();
    return performance.now() - this.#enoughAt <= OVERTIME_MS;
  }

  #draw(): Act {
    // Nothing is waited for any more but the last kills.
    if (!this.#isMissed()) return "kill";
    if (this.#deck.length === 0) this.#deck = [...this.#random.shuffled(this.#options.acts)];
    return this.#deck.pop() ?? "kill";
  }

  /** Those that nobody has fallen into yet, or else some, as far as they lie on one way. */
  #nextTraps(): readonly Trap[] {
    const missing = this.#missingTraps();
    const traps = this.#random.shuffled(missing.length > 0 ? missing : TRAPS);
    return traps.filter((trap) => wayOf(trap) === wayOf(traps[0])).slice(0, TRAPS_MAX);
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

  #missingTraps(): readonly Trap[] {
    const { counts } = this.#options.tally;
    return TRAPS.filter((trap) => counts[nameOf(trap)] === 0);
  }

  /** Kills are spread over the campaign. There are more than enough only for traps that nobody has fallen into yet. */
  #spend(): boolean {
    const { kills, progress } = this.#options;
    const isEnough = this.#killed >= kills;
    if (isEnough ? this.#missingTraps().length === 0 : this.#killed / kills > progress()) return false;
    this.#killed += 1;
    return true;
  }
}
