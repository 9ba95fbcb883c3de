/** Which ways a run has gone: what never happened was not tested. */
import { isCanceledByParent } from "../programs/family.ts";
import type { Evidence } from "../programs/evidence.ts";

const KINDS = [
  "step",
  "timer",
  "signal",
  "started",
  "pivot",
  "patched",
  "call",
  "child",
  "drop",
  "start",
  "emit",
  "send",
  "input",
  "cancel",
  "unwinding",
  "undo",
  "end",
] as const;

export const BRANCHES: readonly string[] = [
  ...KINDS.map((kind) => `entry ${kind}`),
  "ended completed",
  "ended failed",
  "ended canceled",
  "body executed again",
  "attempt failed and tried again",
  "interrupted step looked up",
  "step undone whose outcome nobody knew",
  "step failed for good",
  "transaction committed",
  "transaction rolled back",
  "transaction of a process that was frozen rolled back",
  "wait timed out",
  "signal left unread",
  "child failed",
  "child canceled by its parent",
  "event started two runs",
  "signal refused",
  "run taken over",
  "handler cut off and called again",
  "body of a process that was frozen",
];

/** Of a run and all that it has led to. */
export function branchesOf(evidence: Evidence): ReadonlySet<string> {
  return new Set([evidence, ...(evidence.others ?? [])].flatMap((one) => [...branchesOfOne(one)]));
}

function branchesOfOne({ run, executions, passes, rows = [] }: Evidence): ReadonlySet<string> {
  const keys = executions.map(({ kind, key, attempt }) => `${kind} ${key} ${attempt}`);
  const rolledBack = executions.filter(({ kind, token }) => kind === "transaction" && !rows.includes(token));
  const seen = (name: string, isSo: boolean): string[] => (isSo ? [name] : []);
  return new Set([
    ...run.journal.map(({ kind }) => `entry ${kind}`),
    `ended ${String(run.end)}`,
    ...seen("body executed again", new Set(keys).size < keys.length),
    ...seen(
      "attempt failed and tried again",
      executions.some(({ attempt }) => attempt > 1),
    ),
    ...seen(
      "interrupted step looked up",
      executions.some(({ kind }) => kind === "lookUp"),
    ),
    ...seen(
      "step undone whose outcome nobody knew",
      executions.some(({ told }) => told === "unknown"),
    ),
    ...seen(
      "step failed for good",
      run.journal.some(({ kind, error }) => kind === "step" && error !== undefined),
    ),
    ...seen("transaction committed", rows.length > 0),
    ...seen("transaction rolled back", rolledBack.length > 0),
    ...seen(
      "transaction of a process that was frozen rolled back",
      rolledBack.some(({ thawed }) => thawed === true),
    ),
    ...seen(
      "wait timed out",
      run.journal.some(({ kind, error }) => kind === "signal" && error !== undefined),
    ),
    ...seen(
      "signal left unread",
      run.messages.some(({ type, consumedBy }) => type === "signal" && consumedBy === null),
    ),
    ...seen(
      "child failed",
      run.journal.some(({ kind, error }) => kind === "child" && error !== undefined),
    ),
    ...seen("child canceled by its parent", isCanceledByParent(run)),
    ...seen("event started two runs", run.workflow.startsWith("echoed-1")),
    ...seen(
      "signal refused",
      run.journal.some(({ kind, error }) => kind === "send" && error !== undefined),
    ),
    ...seen("run taken over", run.attempt > 1),
    ...seen("handler cut off and called again", passes.length > 1),
    ...seen(
      "body of a process that was frozen",
      executions.some(({ thawed }) => thawed === true),
    ),
  ]);
}
