import type { NewEntry } from "../store.ts";
import type { Ask } from "./asks.ts";

/** The text that teaches: what the journal says, what the code asks instead, and the ways out. */
export function divergenceText(
  runId: string,
  entry: NewEntry,
  open: Iterable<Ask<unknown>>,
  handlerEnded: boolean,
): string {
  const asks = [...open].map((ask) => `${ask.kind} ${ask.key}`);
  const code =
    asks.length === 0
      ? "asks for nothing"
      : `asks for ${asks.slice(0, 5).join(", ")}${asks.length > 5 ? ` and ${asks.length - 5} more` : ""}`;
  return (
    `run ${runId}: the journal continues with ${entry.kind} ${entry.key} (entry ${entry.seq}), but the code ${handlerEnded ? "has ended and " : ""}${code}. ` +
    "It was changed, or is not deterministic, and was stopped before any effect. Give a renamed step its older names in `was`, " +
    "guard changed code by ctx.patched(), or give the workflow another version and keep the old code for its old runs; then deploy and resume the run."
  );
}
