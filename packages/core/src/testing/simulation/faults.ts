/** What can happen to a simulated process, as values that can be written on one line and read back. */
import { InvalidArgumentError } from "../../errors.ts";
import type { Blow } from "../crash-store.ts";

/**
 * At a call of the store: `before` the process dies and the call never reaches the store · `after` it dies when the call was
 * applied · `lost` the call was applied, its answer is lost · `refused` it was not applied, and nobody knows · `frozen` the process
 * is frozen for longer than its lease while the answer is under way · `late` the same while the call is.
 */
export type CallFault = "before" | "after" | "lost" | "refused" | "frozen" | "late";
/** At an effect: the process dies `before` it or `after` it. */
export type EffectFault = "before" | "after";

/** `at` counts the calls, or the effects, of one process from its birth: 1 is the first. */
export type Fault =
  | { readonly point: "call"; readonly at: number; readonly how: CallFault }
  | { readonly point: "effect"; readonly at: number; readonly how: EffectFault };

export const CALL_FAULTS: readonly CallFault[] = ["before", "after", "lost", "refused", "frozen", "late"];
export const EFFECT_FAULTS: readonly EffectFault[] = ["before", "after"];

/** What befalls each process in the order of their births: one fault, or nothing. */
export type FaultPlan = readonly (Fault | undefined)[];

const NONE = "none";

/** `call 3 after, none, effect 1 before`: the first is for the first process, the next for the one that follows it. */
export function planToText(plan: FaultPlan): string {
  if (plan.length === 0) return NONE;
  return plan
    .map((fault) => (fault === undefined ? NONE : `${fault.point} ${fault.at} ${fault.how}`))
    .join(", ");
}

/** Reads what `planToText` wrote. Throws `InvalidArgumentError` for anything else. */
export function planFromText(text: string): FaultPlan {
  return text.split(",").map((part) => {
    if (part.trim() === NONE) return undefined;
    const [, point, at, how] = /^\s*(call|effect) (\d+) ([a-z]+)\s*$/.exec(part) ?? [];
    const known: readonly string[] = point === "call" ? CALL_FAULTS : EFFECT_FAULTS;
    if (point === undefined || how === undefined || !known.includes(how))
      throw new InvalidArgumentError(
        `"${part.trim()}" is no fault: write "call 3 after" or "effect 1 before", several with commas between them`,
      );
    return { point, at: Number(at), how } as Fault;
  });
}

/** What a fault does to the call that it hits; a process that is frozen makes its call all the same. */
export function blowOf(how: CallFault | undefined): Blow | undefined {
  switch (how) {
    case "before":
    case "after":
      return { when: how };
    case "lost":
      return { when: "instead", applied: true };
    case "refused":
      return { when: "instead", applied: false };
    case "frozen":
    case "late":
    case undefined:
      return undefined;
  }
}
