import { setTimeout as delay } from "node:timers/promises";
import type { Disaster } from "./arena.ts";
import type { Random } from "../random.ts";
import type { Tally } from "./tally.ts";

const CALM_MIN_MS = 300;
const CALM_MAX_MS = 2_500;

/** One disaster after the other, all of them in each round, until it is told to end. */
export async function storm(
  disasters: readonly Disaster[],
  { random, tally, until }: { readonly random: Random; readonly tally: Tally; readonly until: AbortSignal },
): Promise<void> {
  tally.announce(...disasters.map(({ name }) => name));
  while (disasters.length > 0) {
    for (const { name, strike } of random.shuffled(disasters)) {
      await delay(random.between(CALM_MIN_MS, CALM_MAX_MS));
      if (until.aborted) return;
      if (await strike(random)) tally.count(name);
    }
  }
}
