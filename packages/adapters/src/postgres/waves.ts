import type {
  AdvanceWrite,
  MessageWrite,
  NewEntry,
  OperateWrite,
  RetryState,
  StartWrite,
  Then,
  Write,
} from "@everstep/core";

/** A row of one kind of write. `i` is the write's place in its batch, from 1. */
type Row = Readonly<Record<string, unknown>> & { readonly i: number };

/** Writes of which no two are about the same run, but for messages; by kind, as the function `commit` takes them. */
export interface Wave {
  starts?: Row[];
  advances?: Columns<AdvanceColumn>;
  entries?: Columns<EntryColumn>;
  changes?: Row[];
  rest?: Rest;
}

/** What there is most of comes column by column: half the work for the server. */
export type Columns<Name extends string> = Readonly<Record<Name, (string | number | null)[]>>;

export type AdvanceColumn = "i" | "id" | "attempt" | "first" | "seen";
export type EntryColumn = "i" | "seq" | "kind" | "key" | "at" | "value" | "error";

interface Rest {
  consumes?: Row[];
  retries?: Row[];
  settled?: Row[];
  /** Tags that runs are started with. */
  given?: Row[];
  tags?: Row[];
  messages?: Row[];
  operations?: Row[];
}

export interface Waves {
  readonly waves: readonly Wave[];
  /** The write that ends the lease, and its wave, which has nothing else; both counted from 1. */
  readonly leave: { readonly wave: number; readonly i: number } | null;
  /** Runs to lock first, in one order, where waves or kinds would lock them in several. */
  readonly locks: readonly string[];
}

/** `alone`: a wave for each write. */
export function wavesOf(writes: readonly Write[], alone: boolean): Waves {
  const waves: Wave[] = [];
  const order = new Order(alone);
  const placed = writes.map((write, index) => ({ write, i: index + 1, place: order.place(write) }));
  let leave: Waves["leave"] = null;
  // All that locks several runs does so in one order, or two could wait for each other.
  for (const { write, i, place } of placed.toSorted((a, b) => compare(runOf(a.write), runOf(b.write)))) {
    addTo((waves[place] ??= {}), write, i);
    if (write.kind === "leave") leave = { wave: place + 1, i };
  }
  return { waves, leave, locks: waves.length > 1 || mixesKinds(waves[0]) ? runsIn(writes) : [] };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Which wave a write belongs to: after all that came before it for the same run. */
class Order {
  readonly #alone: boolean;
  readonly #last = new Map<string, { readonly wave: number; readonly isMessage: boolean }>();
  #floor = 0;
  #top = -1;

  constructor(alone: boolean) {
    this.#alone = alone;
  }

  place(write: Write): number {
    if (this.#alone) return (this.#top += 1);
    // Whatever comes after it is fenced, so it is alone in its wave, and divides the others.
    if (write.kind === "leave") {
      this.#top += 1;
      this.#floor = this.#top + 1;
      return this.#top;
    }
    const runId = runOf(write);
    const before = this.#last.get(runId);
    const isMessage = write.kind === "message";
    const follows = before === undefined ? 0 : before.wave + (isMessage && before.isMessage ? 0 : 1);
    const wave = Math.max(this.#floor, follows);
    this.#last.set(runId, { wave, isMessage });
    this.#top = Math.max(this.#top, wave);
    return wave;
  }
}

function runOf(write: Write): string {
  if (write.kind === "start") return write.run.id;
  return write.kind === "leave" ? "" : write.runId;
}

/** Starts and advances together are the habit of a busy worker; nobody else locks the runs of its advances but with a message. */
function mixesKinds({ starts, advances, rest }: Wave = {}): boolean {
  const kinds = [starts ?? advances, rest?.messages, rest?.operations];
  return kinds.filter((kind) => kind !== undefined).length > 1;
}

function runsIn(writes: readonly Write[]): string[] {
  return [...new Set(writes.flatMap((write) => ("runId" in write ? [write.runId] : [])))].toSorted(compare);
}

function addTo(wave: Wave, write: Write, i: number): void {
  switch (write.kind) {
    case "start":
      return addStart(wave, write, i);
    case "advance":
      return addAdvance(wave, write, i);
    case "message":
      return void restOf(wave, "messages").push(messageRow(write, i));
    case "operate":
      return void restOf(wave, "operations").push(operationRow(write, i));
    case "leave":
  }
}

function restOf(wave: Wave, part: keyof Rest): Row[] {
  return ((wave.rest ??= {})[part] ??= []);
}

function addStart(wave: Wave, { run, claim }: StartWrite, i: number): void {
  const { id, workflow, version, input, inputHash: hash, priority, timeoutMs: timeout, due, tags } = run;
  const row = { i, id, workflow, version, input, hash, priority, timeout, claim: claim && due === undefined };
  (wave.starts ??= []).push(
    due === undefined
      ? row
      : { ...row, ...("at" in due ? { due: Math.ceil(due.at) } : { delay: Math.ceil(due.inMs) }) },
  );
  for (const [name, value] of Object.entries(tags)) restOf(wave, "given").push({ i, name, value });
}

function addAdvance(wave: Wave, write: AdvanceWrite, i: number): void {
  const { runId, attempt, entries, consume, retries, settled, tags, then } = write;
  const columns = (wave.advances ??= { i: [], id: [], attempt: [], first: [], seen: [] });
  columns.i.push(i);
  columns.id.push(runId);
  columns.attempt.push(attempt);
  columns.first.push(firstOf(entries));
  columns.seen.push(then?.do === "park" ? then.inbox : null);
  if (entries.length > 0) addEntries(wave, entries, i);
  for (const [no, seq] of consume ?? []) restOf(wave, "consumes").push({ i, no, seq });
  for (const retry of retries ?? []) restOf(wave, "retries").push(retryRow(retry, i));
  for (const key of settled ?? []) restOf(wave, "settled").push({ i, key });
  for (const [name, value] of Object.entries(tags ?? {})) restOf(wave, "tags").push({ i, name, value });
  const changes = changesOf(write);
  if (changes !== undefined) (wave.changes ??= []).push({ i, ...changes });
}

function addEntries(wave: Wave, entries: readonly NewEntry[], i: number): void {
  const columns = (wave.entries ??= { i: [], seq: [], kind: [], key: [], at: [], value: [], error: [] });
  for (const { seq, kind, key, at, value = null, error = null } of entries) {
    columns.i.push(i);
    columns.seq.push(seq);
    columns.kind.push(kind);
    columns.key.push(key);
    columns.at.push(at);
    columns.value.push(value);
    columns.error.push(error);
  }
}

/** The seq of the first entry; of entries with a gap one that never fits, so that they are refused. */
function firstOf(entries: readonly NewEntry[]): number | null {
  const first = entries[0]?.seq;
  if (first === undefined) return null;
  return entries.every(({ seq }, index) => seq === first + index) ? first : 0;
}

function retryRow({ key, failures, firstAt, nextAt, error, inDoubt }: RetryState, i: number): Row {
  return { i, key, failures, first_at: firstAt, next_at: nextAt, error, in_doubt: inDoubt };
}

function changesOf({ phase, progressed, alone, then }: AdvanceWrite): object | undefined {
  if (phase === undefined && progressed === undefined && alone === undefined && then === undefined)
    return undefined;
  return { phase, progressed, alone, ...(then === undefined ? {} : letGo(then)) };
}

function letGo(then: Then): object {
  switch (then.do) {
    case "park":
      return {
        act: then.do,
        due: then.dueAt === null ? null : Math.ceil(then.dueAt),
        waits: then.waits.length === 0 ? null : JSON.stringify(then.waits),
      };
    case "release":
      return { act: then.do, interrupted: then.interrupted };
    case "stick":
      return { act: then.do, stuck: JSON.stringify(then.stuck) };
    case "end":
      return { act: then.do, status: then.status, result: then.result, error: then.error };
  }
}

function messageRow({ runId: run, message: { type, id, name, payload } }: MessageWrite, i: number): Row {
  return { i, run, type, id, name, payload };
}

function operationRow({ runId: run, id, value }: OperateWrite, i: number): Row {
  return { i, run, id, value };
}
