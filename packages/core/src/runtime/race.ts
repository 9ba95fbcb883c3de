import type { RaceResult } from "../context.ts";
import { scope } from "./scope.ts";

type Branches = Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>;

/**
 * Deterministic because everything happens within delivery turns: the first branch to settle wins, and in the same turn the others'
 * signals abort, which withdraws their waits and steps. What losers throw is theirs alone.
 */
export function race<B extends Branches>(run: object, branches: B): Promise<RaceResult<B>> {
  return new Promise((resolve) => {
    const running = Object.entries(branches).map(([name, branch]) => ({
      name,
      branch,
      controller: new AbortController(),
    }));
    let over = false;
    const settle = (winner: string, act: () => void): void => {
      if (over) return;
      over = true;
      for (const { name, controller } of running) {
        if (name !== winner)
          controller.abort(new DOMException(`branch ${winner} of the race was faster`, "AbortError"));
      }
      act();
    };
    const outer = scope.getStore()?.lost;
    for (const { name, branch, controller } of running) {
      const lost = outer === undefined ? controller.signal : AbortSignal.any([outer, controller.signal]);
      const call = async (): Promise<unknown> => branch(lost);
      const called = scope.run({ run, lost }, call);
      called.then(
        (value) => settle(name, () => resolve({ winner: name, value } as RaceResult<B>)),
        () => settle(name, () => resolve(called as Promise<never>)),
      );
    }
  });
}
