/** A way to break the reference store. */

export interface Mutant {
  /** What a store like this does wrong. */
  readonly does: string;
  /** Topic of the suite that must notice. */
  readonly topic: string;
  /** File below `src/testing`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

type Row = readonly [does: string, topic: string, from: string, to: string];

export const inFile = (file: string, rows: readonly Row[]): readonly Mutant[] =>
  rows.map(([does, topic, from, to]) => ({ does, topic, file, from, to }));
