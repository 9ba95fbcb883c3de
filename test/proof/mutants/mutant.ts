/** What a mutant is: the engine with one mistake, and what of the campaign finds it. */
import type { PartName } from "../simulated/parts.ts";
import type { Change } from "./change.ts";

export interface Mutant extends Change {
  /** What an engine like this does wrong. */
  readonly does: string;
  /** What of the campaign finds it soonest. */
  readonly part: PartName;
  /** Invariants, one of which it is found to break. */
  readonly breaks: readonly string[];
}

/** `breaks` with spaces between them: what a row says. */
export type Row = readonly [does: string, part: PartName, breaks: string, from: string, to: string];

export function inFile(file: string, rows: readonly Row[]): readonly Mutant[] {
  return rows.map(([does, part, breaks, from, to]) => ({
    does,
    part,
    breaks: breaks.split(" "),
    file,
    from,
    to,
  }));
}
