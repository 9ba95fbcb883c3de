/** I8: the rows that transactions have left, and what is journaled of them, are the same, one for one. */
import type { Evidence, Execution } from "./evidence.ts";
import { valueOf } from "./reading.ts";

/** Also of a run that persons had go back: what counts no more was committed all the same, and what a retry keeps has its row from before. */
export function rowFindings({ run, executions, rows = [] }: Evidence): string[] {
  const keys = new Map(
    executions.filter(({ kind }) => kind === "transaction").map(({ token, key }) => [token, key]),
  );
  const ran = new Set(keys.values());
  const committed = new Map(
    run.journal
      .filter(({ kind, key, error }) => kind === "step" && error === undefined && ran.has(key))
      .map((entry) => [String(valueOf(entry)), entry.key]),
  );
  const lost = [...committed].filter(([token]) => !rows.includes(token));
  return [
    ...lost.map(([, key]) => `I8 transaction ${key} is journaled, and its row is not there`),
    ...rows
      .filter((token) => !committed.has(token))
      .map((token) => `I8 transaction ${keys.get(token)} has left a row that is not journaled`),
    ...rows
      .filter((token, index) => rows.indexOf(token) !== index)
      .map((token) => `I8 transaction ${keys.get(token)} has left its row twice`),
  ];
}

/** That of a worker that has lost its run may begin at any time: it leaves nothing. */
export function isRolledBack({ rows = [] }: Evidence, { kind, token }: Execution): boolean {
  return kind === "transaction" && !rows.includes(token);
}
