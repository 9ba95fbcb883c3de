/**
 * Where a process can be made to die: before and after each kind of call of the store and each kind of write in one. Production code
 * knows nothing of it: the store's port is the seam.
 */
import type { AdvanceWrite, Write } from "@everstep/core";

/** `transact`: around the call. `the SQL of transact`: when its body is over, and nothing is committed. */
const POINTS = [
  "start",
  "start born claimed",
  "step",
  "started",
  "timer",
  "taken signal",
  "pivot",
  "unwinding",
  "undo",
  "call",
  "child",
  "detached start",
  "emit",
  "sent signal",
  "taken cancel",
  "retry",
  "park",
  "release",
  "stick",
  "end",
  "signal",
  "cancel",
  "resume",
  "leave",
  "transact",
  "the SQL of transact",
  "claim",
  "join",
  "renew",
] as const;
export type Point = (typeof POINTS)[number];

export interface Trap {
  readonly point: Point;
  readonly when: "before" | "after";
}

/** Nobody is there between the SQL and what comes after it. */
const trapsAt = (point: Point): readonly Trap[] => {
  const after = { point, when: "after" } as const;
  return point === "the SQL of transact" ? [after] : [{ point, when: "before" }, after];
};

export const TRAPS: readonly Trap[] = POINTS.flatMap(trapsAt);

/** When in the life of a process a trap is come to. */
export type Way = "beginning" | "life" | "end";

export function wayOf(trap: Trap | undefined): Way {
  if (trap?.point === "join") return "beginning";
  return trap !== undefined && isLeaving(trap) ? "end" : "life";
}

/** What only a worker does that is told to stop. */
export function isLeaving({ point }: Trap): boolean {
  return point === "leave" || point === "release";
}

/** How a process that dies says where. */
export const FALLEN = "fell into:";

export function nameOf({ point, when }: Trap): string {
  return `kills ${when} ${point}`;
}

/** The points that a batch with these writes is. */
export function pointsOf(writes: readonly Write[]): readonly Point[] {
  return writes.flatMap((write): readonly Point[] => {
    switch (write.kind) {
      case "start":
        return [write.claim ? "start born claimed" : "start"];
      case "message":
        return [write.message.type];
      case "operate":
        return write.operation === "resume" ? ["resume"] : [];
      case "leave":
        return ["leave"];
      case "advance":
        return pointsOfAdvance(write);
      default:
        return [];
    }
  });
}

const OF_ENTRIES: Readonly<Partial<Record<string, Point>>> = {
  step: "step",
  started: "started",
  timer: "timer",
  signal: "taken signal",
  pivot: "pivot",
  unwinding: "unwinding",
  undo: "undo",
  call: "call",
  child: "child",
  start: "detached start",
  emit: "emit",
  send: "sent signal",
  cancel: "taken cancel",
};

function pointsOfAdvance({ entries, retries = [], then }: AdvanceWrite): readonly Point[] {
  const points = entries.map(({ kind }) => OF_ENTRIES[kind]).filter((point) => point !== undefined);
  return [...points, ...(retries.length > 0 ? ["retry" as const] : []), ...(then ? [then.do] : [])];
}
