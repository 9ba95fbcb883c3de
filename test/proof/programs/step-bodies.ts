/** The bodies of a program's steps: what they do, and how they fail. */
import { FatalError, type StepContext, type StepOptions } from "@everstep/core";
import type { StepNode } from "./program.ts";
import type { WatchedPass } from "./watched-pass.ts";

export function stepOptions(pass: WatchedPass, node: StepNode, key: string): StepOptions<string> {
  const isFlaky = node.undo === "own-flaky";
  return {
    ...(node.does === "flaky" ? { retry: { initialDelay: 200 } } : {}),
    ...(node.does === "exhausted" ? { retry: { maxAttempts: 2, initialDelay: 200 } } : {}),
    ...(node.does === "timeout" ? { retry: false, timeout: 500 } : {}),
    ...(node.undo?.startsWith("own") === true
      ? {
          compensate: (done, step) =>
            pass.undo(step, key, isFlaky, done.outcome === "completed" ? done.result : "unknown"),
        }
      : {}),
    ...(node.looks === true ? { inDoubt: (step) => lookUp(pass, step, key) } : {}),
  };
}

export async function stepBody(
  pass: WatchedPass,
  node: StepNode,
  step: StepContext,
  key: string,
): Promise<string> {
  const token = await pass.perform(step, "step", key);
  switch (node.does) {
    case "ok":
      return pass.done(token);
    case "flaky":
      return pass.outside.failsNow(pass.run, key)
        ? pass.throws(token, new Error(`flaky ${token}`))
        : pass.done(token);
    case "fatal":
      return pass.throws(token, new FatalError(`fatal ${token}`));
    case "declined":
      return pass.throws(token, new FatalError(`declined ${token}`, { happened: false }));
    case "exhausted":
      return pass.throws(token, new Error(`exhausted ${token}`));
    default:
      await aborted(step.signal);
      return pass.throws(token, step.signal.reason as Error);
  }
}

async function lookUp(
  pass: WatchedPass,
  step: StepContext,
  key: string,
): Promise<{ readonly result: string } | "rerun"> {
  pass.done(await pass.perform(step, "lookUp", key));
  const found = pass.outside.find(step.idempotencyKey);
  return found === undefined ? "rerun" : { result: found };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
