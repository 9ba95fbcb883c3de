/** What is measured, and how `main.ts` runs it: each phase in processes of its own, all phases of one round on one fresh store. */
import type { Database, DatabaseName } from "./database.ts";

/** Numbers by their metric's key. */
export type Figures = Readonly<Record<string, number>>;

/** What a median is to be: on every database, or on those that are named. */
export type Aim = number | Partial<Record<DatabaseName, number>>;

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly atMost?: Aim;
  readonly atLeast?: Aim;
}

export interface Place {
  readonly database: Database;
  /** Where the store is in it. */
  readonly address: string;
  /** A new folder on a real disk. */
  readonly folder: string;
  /** What the ids of runs are made of. */
  readonly seed: number;
  /** 1, or less to try the benchmark itself out. */
  readonly scale: number;
  /** Which of the phase's processes this is, from 0. */
  readonly member: number;
  /** Says that the process is where it is to be killed. */
  readonly killMe: () => Promise<never>;
  /** Settles when every process of the phase has got here. */
  readonly together: () => Promise<void>;
}

interface Phase {
  readonly name: string;
  readonly run: (place: Place) => Promise<Figures>;
  /** Begins on a new store; else it finds what the phases before it left. */
  readonly anew?: boolean;
  /** How many run it at the same time, 1 by default. */
  readonly processes?: number;
  /** What the figures of its processes come to; those of the last one by default. */
  readonly merge?: (figures: readonly Figures[]) => Figures;
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
