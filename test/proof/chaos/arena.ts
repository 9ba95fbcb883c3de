import type { Session } from "./evidence.ts";
import type { Place } from "./ground.ts";
import type { Random } from "../random.ts";

/** Something that happens to the database itself, or to the way there. Over when it settles: false if it did not happen. */
export interface Disaster {
  readonly name: string;
  readonly strike: (random: Random) => Promise<boolean>;
}

/** What the nemesis does to workers' processes. `kill`: again and again. `swizzle`: several stop one by one, and go on in another order. */
export type Act = "kill" | "freeze" | "swizzle" | "drain";

/** Where a campaign takes place, and what happens there. */
export interface Arena {
  /** As the test itself reaches the database. */
  readonly place: Place;
  /** As each of the workers does. */
  readonly workerPlaces: readonly [Place, ...Place[]];
  /** The workers' lease; its default when undefined. */
  readonly leaseMs: number | undefined;
  /** What is here twice happens twice as often. */
  readonly acts: readonly Act[];
  readonly disasters: readonly Disaster[];
  /** Simultaneous callers, and how many runs that have not ended they leave there. */
  readonly callers: number;
  readonly openMax: number;
  /** The workers' connections to the server, if there is one. */
  readSessions(when: Session["when"]): Promise<readonly Session[]>;
  close(): Promise<void>;
}
