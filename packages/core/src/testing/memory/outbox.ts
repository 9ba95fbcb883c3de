/** What is told to the world outside: written with what it tells of, and taken out at least once. */
import type { Outcome, OutboxEvent, OutboxRow, ShippedWrite } from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { Draft } from "./draft.ts";

export function post(draft: Draft, events: readonly OutboxEvent[]): void {
  for (const { id, text } of events) {
    const no = draft.nextOutboxNo();
    draft.outbox.set(no, { no, id, text, takenUntil: 0 });
  }
}

export function takeOutbox(
  draft: Draft,
  { limit, forMs }: { readonly limit: number; readonly forMs: number },
  now: number,
): readonly OutboxRow[] {
  const rows = draft.outbox
    .values()
    .filter(({ takenUntil }) => takenUntil <= now)
    .toSorted((a, b) => a.no - b.no)
    .slice(0, limit);
  for (const row of rows) draft.outbox.set(row.no, { ...row, takenUntil: now + forMs });
  return rows.map(({ no, id, text }) => ({ no, id, text }));
}

export function ship({ draft }: Scene, { nos }: ShippedWrite): Outcome {
  for (const no of nos) draft.outbox.delete(no);
  return { is: "done" };
}
