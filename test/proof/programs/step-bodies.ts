/** The bodies of a program's steps and transactions: what they do, and how they fail. */
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
            pass[node.sync === true ? "undoNow" : "undo"](
              step,
              key,
              isFlaky,
              done.outcome === "completed" ? done.result : "unknown",
            ),
        }
      : {}),
    ...(node.looks === true ? { inDoubt: (step) => lookUp(pass, step, key) } : {}),
  };
}

export function stepBody(
  pass: WatchedPass,
  node: StepNode,
  step: StepContext,
  key: string,
): string | Promise<string> {
  if (node.sync === true) return outcomeOf(pass, node, key, pass.performNow(step, "step", key));
  return laterBody(pass, node, step, key);
}

async function laterBody(pass: WatchedPass, node: StepNode, step: StepContext, key: string): Promise<string> {
  const token = await pass.perform(step, "step", key);
  if (node.does !== "timeout" && node.does !== "slow") return outcomeOf(pass, node, key, token);
  await aborted(step.signal);
  return pass.throws(token, step.signal.reason as Error);
}

/** Fails only once its row is written: that has to be gone then. */
export function transactionBody(
  pass: WatchedPass,
  node: StepNode,
  tx: unknown,
  key: string,
): string | Promise<string> {
  const token = pass.write(tx, key, node.sync === true ? "at once" : "later");
  return token instanceof Promise
    ? token.then((later) => outcomeOf(pass, node, key, later))
    : outcomeOf(pass, node, key, token);
}

function outcomeOf(pass: WatchedPass, node: StepNode, key: string, token: string): string {
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
    default:
      return pass.throws(token, new Error(`exhausted ${token}`));
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
