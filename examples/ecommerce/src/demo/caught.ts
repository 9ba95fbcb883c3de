import type { Effect } from "../books/effect-ledger.ts";

const CHARGE = "step charge-payment";
const GIVE_BACK = "undo charge-payment";

/** The process that was the last to begin one of these bodies of the order. */
function lastToBegin(
  orderId: string,
  entries: readonly string[],
  effects: readonly Effect[],
): number | undefined {
  return effects.findLast(
    ({ event, run, entry }) => event === "begin" && run === orderId && entries.includes(entry),
  )?.pid;
}

export function chargerOf(orderId: string, effects: readonly Effect[]): number | undefined {
  return lastToBegin(orderId, [CHARGE], effects);
}

/** How things stand when processes have just been killed. */
export interface Scene {
  readonly killed: readonly number[];
  /** The orders that Stripe has charged. */
  readonly charged: readonly string[];
  readonly effects: readonly Effect[];
  readonly isJournaled: (orderId: string, entry: string) => boolean;
}

/** Orders that were charged, and whose journal did not know it, when the process that had charged them died. */
export class Caught {
  readonly #suspects = new Map<string, number>();

  note({ killed, charged, effects, isJournaled }: Scene): void {
    for (const orderId of charged) {
      const pid = chargerOf(orderId, effects);
      if (pid === undefined || !killed.includes(pid) || isJournaled(orderId, CHARGE)) continue;
      this.#suspects.set(orderId, pid);
    }
  }

  /** As far as can be told at once. */
  get suspected(): number {
    return this.#suspects.size;
  }

  /**
   * Those of them whose payment another process had to look at again. For the others the database server has committed what the
   * dead process had sent it, after we looked.
   */
  proven(effects: readonly Effect[]): number {
    const suspects = [...this.#suspects];
    return suspects.filter(([orderId, pid]) => lastToBegin(orderId, [CHARGE, GIVE_BACK], effects) !== pid)
      .length;
  }
}
