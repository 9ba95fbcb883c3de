/** The same for what transactions leave in the store's own database. */
import { entry, execution, type Falsification, falsification, forget, found } from "./falsified.ts";

export const ROW_FALSIFICATIONS: readonly Falsification[] = [
  falsification("I8 transaction step-0 is journaled, and", "writing", (draft) => {
    const own = execution(draft, "transaction", "step-0").token;
    draft.rows = draft.rows.filter((token) => token !== own);
  }),
  falsification("I8 transaction step-0 has left its row twice", "writing", (draft) => {
    draft.rows.push(execution(draft, "transaction", "step-0").token);
  }),
  falsification("I8 transaction step-2 has left a row that", "writing", (draft) => {
    draft.rows.push(
      found(draft.executions.find(({ key, ended }) => key === "step-2" && ended === "threw")).token,
    );
  }),
  falsification("I8 transaction step-3.0.0 has left a row that", "writing", (draft) => {
    draft.rows.push(execution(draft, "transaction", "step-3.0.0").token);
  }),
  falsification("I8 transaction step-0 has left a row that", "writing", (draft) => {
    draft.faulty = true;
    draft.executions.push({ ...execution(draft, "transaction", "step-0"), token: "t99" });
    draft.rows.push("t99");
  }),
  falsification("I8 transaction step-1.1.0 has left a row that", "writing", (draft) =>
    forget(draft, "step", "step-1.1.0"),
  ),
  falsification("I5 its value is of no", "writing", (draft) => {
    entry(draft, "step", "step-0").value = entry(draft, "step", "step-1.0.0").value;
  }),
  falsification("I5 its error is of no", "writing", (draft) => {
    const own = entry(draft, "step", "step-4.0.0");
    own.error = own.error?.replaceAll("exhausted t", "exhausted u");
  }),
  falsification("I6 step step-0 is settled after 0", "writing", (draft) => {
    draft.executions = draft.executions.filter(({ key }) => key !== "step-0");
  }),
  falsification("I6 step step-5 is settled after 0", "writing", (draft) => {
    execution(draft, "step", "step-5").kind = "transaction";
  }),
  falsification("I12 it ran", "writing", (draft) => {
    execution(draft, "transaction", "step-0").key = "step-9";
  }),
  falsification("E2", "writing", (draft) => (execution(draft, "transaction", "step-2").durable = 0)),
  falsification("I4", "writing", (draft) => (execution(draft, "transaction", "step-0").durable = 1)),
  falsification("I13 it began after the decision", "writing", (draft) => {
    execution(draft, "transaction", "step-0").durable = draft.run.journal.length;
  }),
];
