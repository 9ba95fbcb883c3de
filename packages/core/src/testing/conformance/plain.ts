/** What is read of a store, without what differs between two that do the same: instants, numbers of workers, reasons. */
import type { ClaimResult, Entry, Message, Outcome, RetryState, RunDetails, RunRecord } from "../../store.ts";
import type { Bench, Hand } from "./bench.ts";
import type { Known } from "./dice.ts";
import { FAR_AWAY } from "./writes.ts";

interface Side {
  readonly bench: Bench;
  readonly workers: readonly Hand[];
}

export async function allRuns(bench: Bench): Promise<Known> {
  const { runs } = await bench.store.list({}, { limit: 100 });
  return new Map(await Promise.all(runs.map(async ({ id }) => [id, await bench.read(id)] as const)));
}

export async function everything(side: Side): Promise<unknown> {
  const { store } = side.bench;
  const runs = [...(await allRuns(side.bench)).values()];
  const filters = [{ version: "2" }, { parent: "run-1" }, { paused: true }, { endedBefore: FAR_AWAY }];
  return {
    runs: runs.map((details) => plainDetails(side, details)).toSorted((a, b) => byId(a.run, b.run)),
    counts: await Promise.all(filters.map((filter) => store.count(filter))),
    events: (await store.events({ limit: 100 })).map((event) => ({ ...event, at: "past" })),
    workflows: (await store.workflows()).map((row) => ({
      ...row,
      since: "past",
      paused: row.paused?.note,
    })),
  };
}

export const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : 1;

/** An outcome without its instant. */
export function plain(outcome: Outcome): unknown {
  return outcome.is === "created" ? { is: outcome.is, claimed: outcome.claimed } : hideReason(outcome);
}

const hideReason = (outcome: Outcome): unknown => (outcome.is === "refused" ? { is: outcome.is } : outcome);

/** An instant, as far as it means the same on both sides. */
function when(at: number | null, now: number): unknown {
  if (at === null || at >= FAR_AWAY) return at;
  return at <= now ? "past" : "future";
}

function plainRun({ workers }: Side, run: RunRecord, now: number) {
  const { createdAt: _, startedAt, endedAt, ...rest } = run;
  return {
    ...rest,
    tags: { ...run.tags },
    owner: workers.findIndex(({ id }) => id === run.owner),
    dueAt: when(run.dueAt, now),
    paused: run.paused?.note,
    started: startedAt !== null,
    ended: endedAt !== null,
  };
}

function plainDetails(side: Side, { run, journal, messages, retries, now, ...rest }: RunDetails) {
  return {
    run: plainRun(side, run, now),
    journal: journal.map(plainEntry),
    messages: messages.map(plainMessage),
    retries: plainRetries(retries, now),
    capable: rest.capable,
    workflowPaused: rest.workflowPaused?.note,
  };
}

const plainEntry = (entry: Entry): unknown =>
  entry.kind === "resume" || entry.kind === "pause" ? { ...entry, at: "now" } : entry;

const plainMessage = ({ type, id, name, payload }: Message): unknown => ({
  type,
  id,
  name,
  payload: type === "child" ? (JSON.parse(payload) as unknown) : payload,
});

function plainRetries(retries: readonly RetryState[], now: number): unknown[] {
  const sorted = retries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return sorted.map((state) => ({
    ...state,
    firstAt: when(state.firstAt, now),
    nextAt: when(state.nextAt, now),
  }));
}

export function plainClaims(side: Side, { claims, nextDueAt, paused, now }: ClaimResult): unknown {
  const all = claims.map((claim) => ({
    run: plainRun(side, claim.run, now),
    journal: claim.journal.length,
    messages: claim.messages.map(({ id }) => id),
    retries: plainRetries(claim.retries, now),
  }));
  return {
    claims: all.toSorted((a, b) => byId(a.run, b.run)),
    nextDueAt: when(nextDueAt, now),
    paused: paused.toSorted(),
  };
}
