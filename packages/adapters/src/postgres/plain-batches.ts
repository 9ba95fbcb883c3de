import type { AdvanceWrite, Batch, NewEntry, StartWrite, Then, Write } from "@everstep/core";
import { arrayLiteral } from "./array-literal.ts";
import type { Call } from "./connections.ts";
import { isClaimable } from "./wave-rows.ts";

/** One of the functions of `sql-alone.ts`, and what it is called with before the channel. */
export interface PlainCall {
  readonly fn: "begin_run" | "append" | "finish";
  readonly values: Call["values"];
}

/** For a batch that is one plain write, as far as can be told here; undefined for all others. */
export function plainCall({ writes, lease }: Batch): PlainCall | undefined {
  const [write, ...more] = writes;
  if (write === undefined || more.length > 0 || lease === undefined) return undefined;
  const call = write.kind === "start" ? beginCall(write) : advanceCall(write);
  if (call === undefined || !isWellFormed(call.values)) return undefined;
  return { fn: call.fn, values: [lease.worker, lease.batch, ...call.values] };
}

function beginCall({ run, claim }: StartWrite): PlainCall | undefined {
  const { id, workflow, version, input, inputHash, priority, timeoutMs, raw = false, tags } = run;
  const isPlain = isClaimable(run, claim) && priority !== null && Object.keys(tags).length === 0;
  if (!isPlain) return undefined;
  const values = [id, workflow, version, input, inputHash, priority, timeoutMs, raw];
  return { fn: "begin_run", values };
}

function advanceCall(write: Write): PlainCall | undefined {
  if (write.kind !== "advance") return undefined;
  const { kind: _, runId, attempt, entries, then, ...rest } = write;
  const [first, ...more] = entries;
  const isPlain = entries.every(isSound) && Object.values(rest).every((value) => value === undefined);
  if (first === undefined || !isPlain) return undefined;
  if (then?.do === "end") return finishCall(write, entries, then);
  if (then !== undefined || more.length > 0) return undefined;
  const { seq, kind, key, at, value = null, error = null } = first;
  return { fn: "append", values: [runId, attempt, seq, kind, key, at, value, error] };
}

function finishCall(
  { runId, attempt }: AdvanceWrite,
  entries: readonly NewEntry[],
  { status, result, error }: Extract<Then, { do: "end" }>,
): PlainCall | undefined {
  const first = entries[0]?.seq ?? 0;
  if (entries.some(({ seq }, index) => seq !== first + index)) return undefined;
  const columns = [
    entries.map(({ seq }) => seq),
    entries.map(({ kind }) => kind),
    entries.map(({ key }) => key),
    entries.map(({ at }) => at),
    entries.map(({ value = null }) => value),
    entries.map(({ error: failure = null }) => failure),
  ];
  return {
    fn: "finish",
    values: [runId, attempt, first, ...columns.map(arrayLiteral), status, result ?? null, error ?? null],
  };
}

function isSound({ key, value = "", error = "" }: NewEntry): boolean {
  return isWellFormed([key, value, error]);
}

/** What Postgres can't hold is refused by `commit`. (The driver would replace a lone surrogate without a word.) */
function isWellFormed(values: Call["values"]): boolean {
  return values.every(
    (value) => typeof value !== "string" || (value.isWellFormed() && !value.includes("\0")),
  );
}
