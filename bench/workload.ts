/** What is measured, and how `main.ts` runs it: each phase in a process of its own, all phases of one round on one fresh file. */

/** Numbers by their metric's key. */
export type Figures = Readonly<Record<string, number>>;

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  /** What the median is to be. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Place {
  /** A new folder on a real disk. */
  readonly folder: string;
  /** The store's file in it. */
  readonly file: string;
  /** What the ids of runs are made of. */
  readonly seed: number;
  /** 1, or less to try the benchmark itself out. */
  readonly scale: number;
  /** Says that the process is where it is to be killed. */
  readonly killMe: () => Promise<never>;
}

interface Phase {
  readonly name: string;
  readonly run: (place: Place) => Promise<Figures>;
}

export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly metrics: readonly Metric[];
  /** Their figures are merged. */
  readonly phases: readonly Phase[];
  /** What follows from the figures of all phases. */
  readonly derive?: (figures: Figures) => Figures;
}

/** A count of this place's scale, of at least `least`. */
export function scaled(count: number, { scale }: Pick<Place, "scale">, least = 1): number {
  return Math.max(least, Math.round(count * scale));
}
