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
  advances?: Row[];
  entries?: Row[];
  changes?: Row[];
  rest?: Rest;
}

interface Rest {
  consumes?: Row[];
  retries?: Row[];
  settled?: Row[];
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
  let leave: Waves["leave"] = null;
  for (const [index, write] of writes.entries()) {
    const i = index + 1;
    const place = order.place(write);
    addTo((waves[place] ??= {}), write, i);
    if (write.kind === "leave") leave = { wave: place + 1, i };
  }
  return { waves, leave, locks: waves.length > 1 || mixesKinds(waves[0]) ? runsIn(writes) : [] };
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

function runOf(write: Exclude<Write, { kind: "leave" }>): string {
  return write.kind === "start" ? write.run.id : write.runId;
}

function mixesKinds({ advances, rest }: Wave = {}): boolean {
  return [advances, rest?.messages, rest?.operations].filter((kind) => kind !== undefined).length > 1;
}

function runsIn(writes: readonly Write[]): string[] {
  return [...new Set(writes.flatMap((write) => ("runId" in write ? [write.runId] : [])))];
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
  addTags(wave, tags, i);
}

function addTags(wave: Wave, tags: Readonly<Record<string, string>>, i: number): void {
  for (const [name, value] of Object.entries(tags)) restOf(wave, "tags").push({ i, name, value });
}

function addAdvance(wave: Wave, write: AdvanceWrite, i: number): void {
  const { runId: id, attempt, entries, consume, retries, settled, tags, then } = write;
  const first = firstOf(entries);
  (wave.advances ??= []).push({
    i,
    id,
    attempt,
    ...(first === undefined ? {} : { first }),
    ...(then?.do === "park" ? { seen: then.inbox } : {}),
  });
  for (const entry of entries) (wave.entries ??= []).push(entryRow(entry, attempt, i));
  for (const [no, seq] of consume ?? []) restOf(wave, "consumes").push({ i, no, seq });
  for (const retry of retries ?? []) restOf(wave, "retries").push(retryRow(retry, i));
  for (const key of settled ?? []) restOf(wave, "settled").push({ i, key });
  if (tags !== undefined) addTags(wave, tags, i);
  const changes = changesOf(write);
  if (changes !== undefined) (wave.changes ??= []).push({ i, ...changes });
}

/** The seq of the first entry; of entries with a gap one that never fits, so that they are refused. */
function firstOf(entries: readonly NewEntry[]): number | undefined {
  const first = entries[0]?.seq;
  if (first === undefined) return undefined;
  return entries.every(({ seq }, index) => seq === first + index) ? first : 0;
}

function entryRow({ seq, kind, key, at, value, error }: NewEntry, attempt: number, i: number): Row {
  return { i, seq, attempt, kind, key, at, value, error };
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
