import type { Send, Write } from "@everstep/core";
import { eventKey, type How, Places, runKey, type Use } from "./places.ts";
import { addSends, type SendsRow, type Sent } from "./send-phases.ts";
import { addWrite } from "./wave-rows.ts";

/** A row of one kind of write. `i` is the write's place in its batch, from 1. */
export type Row = Readonly<Record<string, unknown>> & { readonly i: number };

/** Writes of which no two are about the same run, but for what is sent to it; by kind, as the function `commit` takes them. */
export interface Wave {
  starts?: Row[];
  advances?: Columns<AdvanceColumn>;
  entries?: Columns<EntryColumn>;
  changes?: Row[];
  rest?: Rest;
  extra?: Extra;
}

/** What there is most of comes column by column: half the work for the server. */
export type Columns<Name extends string> = Readonly<Record<Name, (string | number | null)[]>>;

export type AdvanceColumn = "i" | "id" | "attempt" | "first" | "seen";
export type EntryColumn = "i" | "seq" | "kind" | "key" | "at" | "value" | "error";

export interface Rest {
  consumes?: Row[];
  retries?: Row[];
  settled?: Row[];
  /** Tags that runs are started with. */
  given?: Row[];
  tags?: Row[];
  messages?: Row[];
  operations?: Row[];
  /** Runs to which something is done that comes after an end of this wave and is done before, or the other way round. */
  crowd?: readonly string[];
}

/** What an ordinary batch has nothing of. */
export interface Extra {
  /** Workflows that are started by name. */
  names?: string[];
  sends?: SendsRow;
  outbox?: Row[];
  emits?: Row[];
  mends?: Row[];
  pauses?: Row[];
  purges?: Row[];
  imports?: Row[];
  shipped?: { readonly i: number[]; readonly nos: number[] };
  /** Locks that are taken late are waited for: those that are known are held already. */
  waits?: true;
}

export interface Waves {
  readonly waves: readonly Wave[];
  /** The write that ends the lease, and its wave, which has nothing else; both counted from 1. */
  readonly leave: { readonly wave: number; readonly i: number } | null;
  /** Runs to lock first, in one order, where waves or kinds would lock them in several. */
  readonly locks: readonly string[];
  /** What is told to the world outside, in the order of the batch: waves have another one. Empty where each write is for itself. */
  readonly outbox: readonly Row[];
}

export interface WavesOptions {
  /** A wave for each write, and for what it sends out a phase each: their data may be refused. */
  readonly alone?: boolean;
  /** A wave for each write. */
  readonly single?: boolean;
  /** All is locked first, in one order. */
  readonly ordered?: boolean;
}

export function wavesOf(
  writes: readonly Write[],
  { alone = false, single = alone, ordered = false }: WavesOptions = {},
): Waves {
  const waves: Wave[] = [];
  const sent: Sent[][] = [];
  const order = new Order(single);
  const placed = writes.map((write, index) => ({ write, i: index + 1, place: order.place(write) }));
  let leave: Waves["leave"] = null;
  for (const { write, i, place } of placed)
    if (write.kind === "advance" && write.sends !== undefined)
      (sent[place] ??= []).push(...write.sends.map((send) => ({ send, i, sender: write.runId })));
  // All that locks several runs does so in one order, or two could wait for each other.
  for (const { write, i, place } of placed.toSorted((a, b) =>
    compare(lockedBy(a.write), lockedBy(b.write)),
  )) {
    addWrite((waves[place] ??= {}), write, i);
    if (alone && write.kind === "advance" && write.outbox !== undefined)
      (waves[place].extra ??= {}).outbox = outboxRows(write, i);
    if (write.kind === "leave") leave = { wave: place + 1, i };
  }
  for (const [place, sends] of sent.entries())
    if (sends !== undefined) addSends((waves[place] ??= {}), sends, alone);
  if (writes.some(isEnd)) addCrowds(waves, placed);
  if (ordered) for (const wave of waves) (wave.extra ??= {}).waits = true;
  const mixes = waves.length > 1 || mixesKinds(waves[0]);
  const outbox = alone ? [] : writes.flatMap((write, index) => outboxRows(write, index + 1));
  return { waves, leave, locks: ordered || mixes ? runsIn(writes, ordered) : [], outbox };
}

interface Placed {
  readonly write: Write;
  readonly i: number;
  readonly place: number;
}

/** An end tells other runs (S12), and which is not known here: so it is said for which of them waves would change the order of things. */
function addCrowds(waves: readonly Wave[], placed: readonly Placed[]): void {
  const ends = Map.groupBy(
    placed.filter(({ write }) => isEnd(write)),
    ({ place }) => place,
  );
  for (const [wave, of] of ends) {
    const [first, last] = [of[0]?.i ?? 0, of.at(-1)?.i ?? 0];
    const crowd = placed.flatMap((one) => runsOutOfOrder(one, wave, first, last));
    const into = waves[wave];
    if (crowd.length > 0 && into !== undefined) (into.rest ??= {}).crowd = crowd;
  }
}

function isEnd(write: Write): boolean {
  return write.kind === "advance" && write.then?.do === "end";
}

/** Within a wave, advances come first with what they send, and look after their order with ends themselves; then all else. */
function runsOutOfOrder(
  { write, i, place }: Placed,
  wave: number,
  first: number,
  last: number,
): readonly string[] {
  const sentTo = sendsOf(write).flatMap((send) => (send.kind === "message" ? [send.runId] : []));
  const runIds = "runId" in write ? [write.runId, ...sentTo] : [];
  if (place > wave) return i < last ? runIds : [];
  if (place < wave) return i > first ? runIds : [];
  if (write.kind !== "advance") return i < last ? runIds : [];
  return i > first ? sentTo : [];
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Which wave a write belongs to: after all that came before it for the same run. */
class Order {
  readonly #single: boolean;
  readonly #places = new Places<How>((before, how) => before === how && how !== "own");
  /** Purges that follow each other share a wave, and are done one by one. */
  #purges: number | undefined;

  constructor(single: boolean) {
    this.#single = single;
  }

  place(write: Write): number {
    if (this.#single) return this.#places.placeApart();
    if (write.kind === "purge") return (this.#purges ??= this.#places.placeApart());
    this.#purges = undefined;
    // Whatever comes after a leave is fenced, so it is alone in its wave; which runs a purge is about, and whether starts are claimed
    // in a paused workflow, is not known here.
    if (write.kind === "leave" || write.kind === "pause-workflow") return this.#places.placeApart();
    if (write.kind === "start") return this.#places.placeOne(runKey(write.run.id), "own");
    if (write.kind === "message") return this.#places.placeOne(runKey(write.runId), "message");
    if (write.kind === "advance" && write.sends === undefined)
      return this.#places.placeOne(runKey(write.runId), "own");
    return this.#places.place(usesOf(write));
  }
}

function usesOf(
  write: Exclude<Write, { kind: "start" | "message" | "purge" | "leave" | "pause-workflow" }>,
): readonly Use[] {
  switch (write.kind) {
    case "import":
      return [write.run.id, ...write.awaits.map(({ runId }) => runId)].map((id) => ({
        key: runKey(id),
        how: "own",
      }));
    case "emit":
      return usesOfEvent(write.event, "own");
    case "advance":
      return [...(write.sends ?? []).flatMap(usesOfSend), { key: runKey(write.runId), how: "own" }];
    case "shipped":
      return [];
    default:
      return [{ key: runKey(write.runId), how: "own" }];
  }
}

function usesOfSend(send: Send): readonly Use[] {
  if (send.kind === "emit") return usesOfEvent(send.event, "send");
  return [{ key: runKey(send.kind === "start" ? send.run.id : send.runId), how: "send" }];
}

function usesOfEvent(
  { name, id, runPrefix }: Extract<Send, { kind: "emit" }>["event"],
  how: How,
): readonly Use[] {
  return [
    { key: eventKey(name, id), how },
    { key: runKey(runPrefix), how, isPrefix: true },
  ];
}

/** The run that a write of its kind locks in the order of these; others keep the order of the batch. */
function lockedBy(write: Write): string {
  if (write.kind === "start") return write.run.id;
  return "runId" in write && write.kind !== "purge" ? write.runId : "";
}

/** Starts and advances together are the habit of a busy worker; nobody else locks the runs of its advances but with a message. */
function mixesKinds({ starts, advances, rest, extra }: Wave = {}): boolean {
  const hasMail = extra?.sends?.phases.some(({ messages }) => messages !== undefined) === true;
  const kinds = [starts ?? advances, rest?.messages, rest?.operations, extra?.mends, extra?.imports];
  const mends = extra?.mends?.length ?? 0;
  return hasMail || mends > 1 || kinds.filter((kind) => kind !== undefined).length > 1;
}

/** What is locked anyway, or, for a batch that was in another's way, may be. */
function runsIn(writes: readonly Write[], ordered: boolean): string[] {
  const ids = new Set<string>();
  for (const write of writes) {
    if ("runId" in write) ids.add(write.runId);
    if (write.kind === "import" && ordered) for (const { runId } of write.awaits) ids.add(runId);
    for (const send of sendsOf(write)) {
      if (send.kind === "message") ids.add(send.runId);
      else if (send.kind === "start" && send.awaited && ordered) ids.add(send.run.id);
    }
  }
  return [...ids].toSorted(compare);
}

function outboxRows(write: Write, i: number): Row[] {
  if (write.kind !== "advance" || write.outbox === undefined) return [];
  return write.outbox.map(({ id, text }) => ({ i, id, text }));
}

function sendsOf(write: Write): readonly Send[] {
  return write.kind === "advance" ? (write.sends ?? []) : [];
}
