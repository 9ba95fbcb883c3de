/** I6, where it costs money: what Stripe has executed, against how the runs ended. */
import type { RunDetails } from "@everstep/core";
import { isAbandoned } from "./saga-invariants.ts";
import { PRICE_CENTS } from "./steps.ts";
import type { Operation } from "./stripe.ts";

export function moneyProblems(runs: readonly RunDetails[], operations: readonly Operation[]): string[] {
  const operationsOf = Map.groupBy(operations, ({ orderId }) => orderId);
  const known = new Set(runs.map(({ run }) => run.id));
  return [
    ...[...operationsOf.keys()].filter((id) => !known.has(id)).map((id) => `I6 ${id}: paid, and is no run`),
    ...runs
      .filter(({ run }) => run.workflow === "paid" && run.end !== null)
      .flatMap((details) => problemsOf(details, operationsOf.get(details.run.id) ?? [])),
  ];
}

function problemsOf(details: RunDetails, operations: readonly Operation[]): string[] {
  const { id, end } = details.run;
  const charges = operations.filter(({ kind }) => kind === "charged");
  const sum = (kind: Operation["kind"]): number =>
    operations
      .filter((operation) => operation.kind === kind)
      .reduce((cents, { amount }) => cents + amount, 0);
  const [taken, givenBack] = [sum("charged"), sum("refunded")];
  // Who cancels a run and has nothing undone leaves things as they are.
  const isRight = isAbandoned(details) || taken - givenBack === (end === "completed" ? PRICE_CENTS : 0);
  return [
    ...(charges.length > 1 ? [`I6 ${id}: was charged ${charges.length} times`] : []),
    ...(isRight ? [] : [`I6 ${id}: ended as ${String(end)}, took ${taken} cents and gave back ${givenBack}`]),
  ];
}
