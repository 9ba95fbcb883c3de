/**
 * The world outside, as a process of its own that nobody kills: it writes down when each body begins and ends, durably, before it
 * answers. It deduplicates nothing. Told to aim at a process, it keeps back the answer to one of that process's coming `end`s, and
 * says so: whoever aimed kills or freezes the process then, between an effect and its journal entry.
 */
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import SqliteDatabase from "better-sqlite3";
import { type WorkerEvent, LEDGER_SCHEMA, type LedgerEvent, type Mark } from "./ledger-events.ts";

/** What the test tells this process. `skip`: how many `end`s of the process are let pass first. */
export interface LedgerOrder {
  readonly aim?: { readonly pid: number; readonly skip: number };
  readonly marks?: readonly Mark[];
  /** To be written down before the process is stopped, and confirmed. */
  readonly froze?: number;
  /** It gets what was kept back. */
  readonly thawed?: number;
  readonly finish?: true;
}

/** What this process tells the test. */
export interface LedgerNews {
  readonly listening?: number;
  readonly caught?: number;
  readonly froze?: number;
}

/** More deaths at one step would rightly be taken for the step's own fault. */
const CATCHES_PER_STEP_MAX = 2;

const [, , file = ""] = process.argv;
const db = new SqliteDatabase(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(LEDGER_SCHEMA);
const insert = db.prepare<[Omit<LedgerEvent, "no">]>(
  `INSERT INTO events (at, type, run, step, key, attempt, pid, token, outcome)
   VALUES (:at, :type, :run, :step, :key, :attempt, :pid, :token, :outcome)`,
);

type Line = Omit<LedgerEvent, "no" | "at">;

const queue: { readonly line: Line; readonly written: () => void }[] = [];
const aims = new Map<number, number>();
const catches = new Map<string, number>();
/** How often each body has begun. */
const begins = new Map<string, number>();
/** What a process is told when it wakes up. */
const keptBack = new Map<number, () => void>();

const writeAll = db.transaction((lines: readonly Line[]) => {
  for (const line of lines) insert.run({ ...line, at: Date.now() });
});

function flush(): void {
  const batch = queue.splice(0);
  writeAll(batch.map(({ line }) => line));
  for (const { written } of batch) written();
}

function write(line: Line, written: () => void): void {
  if (queue.push({ line, written }) === 1) setImmediate(flush);
}

function isCaught({ pid, run, step }: WorkerEvent): boolean {
  const skip = aims.get(pid);
  if (skip === undefined) return false;
  const place = `${run} ${step}`;
  const before = catches.get(place) ?? 0;
  if (skip > 0 || before >= CATCHES_PER_STEP_MAX) {
    aims.set(pid, Math.max(0, skip - 1));
    return false;
  }
  aims.delete(pid);
  catches.set(place, before + 1);
  return true;
}

function heard(event: WorkerEvent, answer: () => void): void {
  write(event, () => {
    if (event.type !== "end" || !isCaught(event)) return answer();
    keptBack.set(event.pid, answer);
    write({ ...event, type: "caught" }, () => tell({ caught: event.pid }));
  });
}

/** How often that body has begun by now, this time as well. */
function countBegins({ type, run, step }: WorkerEvent): number {
  const place = `${run} ${step}`;
  const count = (begins.get(place) ?? 0) + (type === "begin" ? 1 : 0);
  if (type === "begin") begins.set(place, count);
  return count;
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  const lines = createInterface({ input: socket });
  lines.on("line", (text) => {
    const { no, ...event } = JSON.parse(text) as WorkerEvent & { readonly no: number };
    const count = countBegins(event);
    heard(event, () => socket.writable && socket.write(`${no} ${count}\n`));
  });
  // A killed process leaves a broken connection behind; both say so.
  socket.on("error", () => socket.destroy());
  lines.on("error", () => {});
}

function tell(news: LedgerNews): void {
  process.send?.(news);
}

const NOTHING = { run: "", step: "", key: "", attempt: 0, pid: 0, token: "", outcome: "" } as const;

function mark({ run, step }: Mark): void {
  write({ ...NOTHING, type: "mark", run, step }, () => {});
}

function thaw(pid: number): void {
  write({ ...NOTHING, type: "thawed", pid }, () => {
    aims.delete(pid);
    keptBack.get(pid)?.();
    keptBack.delete(pid);
  });
}

/**
 * A begin that was sent before the mark may lie in its socket while the mark is read already: connections have no order among
 * them. Everything that had arrived by now has been read after one more look at all of them.
 */
function afterWhatWasSent(act: () => void): void {
  setImmediate(() => setImmediate(act));
}

function obey({ aim, marks = [], froze, thawed, finish }: LedgerOrder): void {
  if (aim !== undefined) aims.set(aim.pid, aim.skip);
  if (marks.length > 0) afterWhatWasSent(() => marks.forEach(mark));
  if (froze !== undefined) write({ ...NOTHING, type: "froze", pid: froze }, () => tell({ froze }));
  if (thawed !== undefined) thaw(thawed);
  if (finish === true) {
    setImmediate(() => {
      db.close();
      process.exit();
    });
  }
}

process.on("message", (order: LedgerOrder) => obey(order));
process.on("disconnect", () => process.exit());

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) tell({ listening: address.port });
});
