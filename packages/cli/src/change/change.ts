/** Something that is done to runs, one after the other: what its command knows of it. */
import type { Client, OrderOptions, RunStatus, RunSummary, Store } from "@everstep/core";

export interface Change {
  /** Its command, in the infinitive: `cancel`. */
  readonly name: string;
  /** Of the run that it was done to: `canceled`. */
  readonly done: string;
  /** What more of it a person should know who is asked whether it is meant. */
  readonly says?: string;
  /** What cannot be taken back, or does something outside: it asks also where one run is meant. */
  readonly destructive?: true;
  /** Which runs a filter means that says no status: others it can't be done to anyway. */
  readonly statuses: readonly RunStatus[];
  /** An option of its own says which runs a filter means, by way of `refusal`. */
  readonly narrows?: boolean;
  /** Why the run would refuse it, as far as its summary tells; undefined when it would not. */
  readonly refusal: (run: RunSummary) => string | undefined;
  /** Why it would refuse it all the same, as its journal tells: for `--dry-run`. */
  readonly refusalWithin?: (store: Store, run: RunSummary) => Promise<string | undefined>;
  readonly act: (client: Client, run: RunSummary) => Promise<void>;
}

export const LIVE: readonly RunStatus[] = ["ready", "running", "waiting", "compensating", "stuck"];
export const ENDED: readonly RunStatus[] = ["completed", "failed", "canceled"];
export const ALL: readonly RunStatus[] = [...LIVE, ...ENDED];

/** Who does it and why: options of every command that changes something. */
export interface WhoAndWhy {
  readonly because?: string;
  readonly by?: string;
}

export function orderOf({ because, by }: WhoAndWhy): OrderOptions {
  return { ...(because === undefined ? {} : { because }), ...(by === undefined ? {} : { by }) };
}

/** The usual refusal: its status is none of these. */
export function onlyIn(statuses: readonly RunStatus[]): (run: RunSummary) => string | undefined {
  return ({ status }) =>
    statuses.includes(status) ? undefined : `it is ${status}, not ${statuses.join(" or ")}`;
}
