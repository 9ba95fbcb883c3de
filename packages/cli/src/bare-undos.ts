import type { Entry } from "@everstep/core";

/**
 * The compensations of `ctx.compensate` that were carried out when the run ended. Nothing says which steps they took back: such a run
 * is not retried, but rewound to a step that a person names.
 */
export function bareUndos(journal: readonly Entry[]): readonly string[] {
  // What a reset went back to before counts no more, and a reset goes back to before any unwinding.
  const last = journal.findLastIndex(({ kind }) => kind === "unwinding" || kind === "reset");
  const asked = new Set(journal.filter(({ kind }) => kind !== "undo").map(({ key }) => key));
  return journal
    .slice(last + 1)
    .flatMap(({ kind, key }) => (kind === "undo" && !asked.has(key) ? [key] : []));
}
