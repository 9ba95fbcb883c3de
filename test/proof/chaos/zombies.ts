/**
 * What a process may still do when it wakes up: begin the bodies that it had already decided to begin at the moment when it was
 * frozen, one for each parallel branch of a run. Others may have gone on with the run meanwhile.
 */
import type { LedgerEvent } from "./ledger-events.ts";

interface Freeze {
  readonly pid: number;
  /** Its place in the ledger. */
  readonly from: number;
  untilAt: number;
}

/** What is known of the bodies that began out of turn. */
export interface Zombies {
  /** Others were seen to have settled the step, or to let no step begin any more, after the process had been frozen. */
  readonly late: ReadonlySet<LedgerEvent>;
  /** Others had begun bodies of the run after the process had been frozen: these do not follow theirs. */
  readonly aside: ReadonlySet<LedgerEvent>;
  readonly problems: readonly string[];
}

/** It wakes up, and its socket to the ledger is read: nothing between a decision and its body takes longer. */
const WAKING_MS = 1_000;
/** The branches of any workflow here that run bodies side by side. */
const BRANCHES_MAX = 3;

/** `again`: runs of which a person had something done again, to which what others settled before says nothing. */
export function zombiesIn(events: readonly LedgerEvent[], again: ReadonlySet<string>): Zombies {
  const late = new Set<LedgerEvent>();
  const aside = new Set<LedgerEvent>();
  const perFreeze = new Map<Freeze, readonly LedgerEvent[]>();
  const freezes = Map.groupBy(freezesIn(events), ({ pid }) => pid);
  const eventsOf =
    freezes.size === 0 ? new Map<string, LedgerEvent[]>() : Map.groupBy(events, ({ run }) => run);
  for (const begin of events) {
    if (begin.type !== "begin") continue;
    const freeze = freezes.get(begin.pid)?.findLast(({ from }) => from < begin.no);
    if (freeze === undefined || begin.at > freeze.untilAt + WAKING_MS) continue;
    const meanwhile = (eventsOf.get(begin.run) ?? []).filter(({ no }) => no > freeze.from && no < begin.no);
    if (meanwhile.some(({ type, pid }) => type !== "mark" && pid !== begin.pid)) aside.add(begin);
    if (again.has(begin.run) || !meanwhile.some((event) => forbids(event, begin))) continue;
    late.add(begin);
    perFreeze.set(freeze, [...(perFreeze.get(freeze) ?? []), begin]);
  }
  const problems = [...perFreeze]
    .filter(([, begins]) => begins.length > BRANCHES_MAX)
    .map(
      ([{ pid, from }, begins]) =>
        `I4 ${begins.map(({ run, step }) => `${run} ${step}`).join()}: begun by ${pid}, which was frozen at ${from}, after others had settled them`,
    );
  return { late, aside, problems };
}

/** Whether that mark says that the body must not begin. */
function forbids({ type, step }: LedgerEvent, begin: LedgerEvent): boolean {
  return type === "mark" && (step === begin.step || (step === "*" && !begin.step.endsWith("/undo")));
}

function freezesIn(events: readonly LedgerEvent[]): readonly Freeze[] {
  const freezes: Freeze[] = [];
  for (const { type, pid, no, at } of events) {
    if (type === "froze") freezes.push({ pid, from: no, untilAt: Infinity });
    const last = type === "thawed" ? freezes.findLast((freeze) => freeze.pid === pid) : undefined;
    if (last !== undefined) last.untilAt = at;
  }
  return freezes;
}
