/** Ids as a person types them: whole, or as much of their beginning as no other run has. */
import type { Client } from "@everstep/core";
import { EXIT } from "./exit-code.ts";
import { CommandError, usageError } from "./failure.ts";
import { safeText } from "./safe-text.ts";

const SHOWN_MAX = 5;
/** A run and those that it started: with more of them it is to be named whole. */
const FAMILY_MAX = 100;

/** A whole id comes first: `order-4` is that run, also where there is an `order-42`. A run comes before those that it started. */
export async function resolveRunId(client: Client, text: string): Promise<string> {
  // A script's variable that is not set: every id begins so.
  if (text === "") throw usageError("an empty text is no run's id");
  const { runs: exact } = await client.runs.list({ ids: [text], limit: 1 });
  if (exact[0] !== undefined) return exact[0].id;
  const { runs, next } = await client.runs.list({ idPrefix: text, limit: FAMILY_MAX, order: "oldest" });
  const [first, ...others] = runs;
  if (first === undefined)
    throw new CommandError(
      "RUN_NOT_FOUND",
      `no run has the id ${safeText(text)}, or one that begins so`,
      EXIT.notFound,
    );
  // The runs that it started have ids that begin with its own.
  if (next === null && others.every(({ id }) => id.startsWith(`${first.id}/`))) return first.id;
  const some = runs
    .slice(0, SHOWN_MAX)
    .map(({ id }) => safeText(id))
    .join(", ");
  throw new CommandError(
    "RUN_AMBIGUOUS",
    `several runs have an id that begins with ${safeText(text)}: ${some}${runs.length > SHOWN_MAX ? ", …" : ""}`,
    EXIT.usage,
  );
}
