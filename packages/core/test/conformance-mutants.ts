/**
 * Ways to break the reference store, each in one place: proof that the conformance suite would notice.
 * A mutant is a copy of the store's files with one text replaced; what it imports from elsewhere is the real thing.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { MemoryStoreOptions, MemoryStore } from "../src/testing/index.ts";

export interface Mutant {
  /** What a store like this does wrong. */
  readonly does: string;
  /** Topic of the suite that must notice. */
  readonly topic: string;
  /** File below `src/testing`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const source = fileURLToPath(new URL("../src/", import.meta.url));

export type OpenMutant = (options: MemoryStoreOptions) => MemoryStore;

/** Breaks a copy of the store in this folder, and answers how to open it. */
export async function breed(mutant: Mutant, folder: string): Promise<OpenMutant> {
  const copy = mkdtempSync(join(folder, "mutant-"));
  cpSync(join(source, "testing/memory"), join(copy, "memory"), { recursive: true });
  cpSync(join(source, "testing/memory-store.ts"), join(copy, "memory-store.ts"));
  replaceOnce(join(copy, mutant.file), mutant);
  for (const name of readdirSync(join(copy, "memory"))) redirect(join(copy, "memory", name), "../../");
  redirect(join(copy, "memory-store.ts"), "../");
  const module = (await import(pathToFileURL(join(copy, "memory-store.ts")).href)) as {
    memoryStore: OpenMutant;
  };
  return module.memoryStore;
}

function replaceOnce(file: string, { does, from, to }: Mutant): void {
  const parts = readFileSync(file, "utf8").split(from);
  if (parts.length !== 2)
    throw new Error(`mutant "${does}": what it replaces is not at one place in ${file}`);
  writeFileSync(file, parts.join(to));
}

/** Points imports from beyond the copy at the real sources, so that errors are of the classes that the suite knows. */
function redirect(file: string, up: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll(`from "${up}`, `from "${pathToFileURL(source).href}`));
}

type Row = readonly [does: string, topic: string, from: string, to: string];

const inFile = (file: string, rows: readonly Row[]): readonly Mutant[] =>
  rows.map(([does, topic, from, to]) => ({ does, topic, file, from, to }));

export const MUTANTS: readonly Mutant[] = [
  ...inFile("memory/batch.ts", [
    ["makes owned runs due", "messages", "if (run.owner !== null || (asleep", "if ((asleep"],
    ["frees stuck runs for any signal", "messages", "const asleep = run.stuck !== null ||", "const asleep ="],
    ["starts a delayed run when a signal comes", "messages", " || run.attempt === 0;", ";"],
    [
      "moves nothing that is stuck or delayed, not even for a cancel",
      "messages",
      '(asleep && type === "signal")',
      "asleep",
    ],
    ["keeps strikes on resume", "operate", "strikes: 0, strikesAlone: 0, interrupted", "interrupted"],
    [
      "does not free a resumed run",
      "operate",
      "{ ...freed(now), stuck: null, strikes: 0",
      "{ stuck: null, strikes: 0",
    ],
    [
      "keeps `interrupted` on resume",
      "operate",
      "strikesAlone: 0, interrupted: false }",
      "strikesAlone: 0 }",
    ],
    ["forgets the tags of a start", "start", "    tags,\n", "    tags: {},\n"],
    [
      "replaces a run that is started again",
      "start",
      "  if (known !== undefined) {",
      "  if (known !== undefined) {\n    draft.set(known, newRun(run, now));",
    ],
    [
      "takes a run that is started again",
      "start",
      "  if (known !== undefined) {",
      "  if (known !== undefined) {\n    draft.set(known, { owner: scene.worker });",
    ],
    [
      "creates a run that is started twice at once",
      "start",
      "const known = draft.run(run.id);",
      "const known = draft.run(run.id)?.run.createdAt === now ? undefined : draft.run(run.id);",
    ],
    [
      "looks for ids of messages in all runs",
      "messages",
      "row.messages.some(",
      "draft.liveRuns().flatMap(({ messages }) => messages).some(",
    ],
    [
      "says that a message to nobody is done",
      "messages",
      '  if (row === undefined) return { is: "not-found" };\n  // S7',
      '  if (row === undefined) return { is: "done" };\n  // S7',
    ],
    [
      "applies a batch again that is sent again",
      "batch numbers",
      "if (worker.batch === lease.batch) return worker.outcomes;",
      "if (worker.batch === lease.batch) return writes.map((write) => applyWrite({ draft, now, worker: worker.id }, write));",
    ],
    [
      "answers a repeated batch as done",
      "batch numbers",
      "if (worker.batch === lease.batch) return worker.outcomes;",
      'if (worker.batch === lease.batch) return writes.map(() => ({ is: "done" }));',
    ],
    [
      "fences a batch that it applied before the takeover",
      "batch numbers",
      "if (worker.batch === lease.batch) return worker.outcomes;",
      'if (worker.batch === lease.batch) return worker.live ? worker.outcomes : writes.map(() => ({ is: "fenced" }));',
    ],
    [
      "accepts any greater batch number",
      "batch numbers",
      "worker.batch !== lease.batch - 1",
      "worker.batch >= lease.batch",
    ],
    ["accepts any batch number", "batch numbers", "worker.batch !== lease.batch - 1", "worker.batch === -1"],
    [
      "does not number the batches of dead workers",
      "batch numbers",
      "draft.putWorker({ ...(draft.worker(worker.id) ?? worker), batch",
      "if (worker.live) draft.putWorker({ ...(draft.worker(worker.id) ?? worker), batch",
    ],
    [
      "lets a batch without a lease do what needs one",
      "batch numbers",
      "if (writes.some(needsLease))",
      "if (writes.length < 0)",
    ],
    [
      "takes writes of workers that it never saw",
      "batch numbers",
      "if (worker === undefined) throw new StoreError(`there is no worker ${lease.worker} in this store`);",
      "if (worker === undefined) return writes.map((write) => applyWrite({ draft, now, worker: null }, write));",
    ],
    [
      "lets dead workers leave",
      "fence",
      'return holdsLease(scene) ? leave(scene) : { is: "fenced" };',
      "return leave(scene);",
    ],
    [
      "checks that a lease exists, not that it is live",
      "fence",
      "draft.worker(worker)?.live === true",
      "draft.worker(worker) !== undefined",
    ],
    [
      "has every start of a known id exist",
      "start",
      'return same ? { is: "exists" }',
      'return same || known ? { is: "exists" }',
    ],
    [
      "compares workflows only",
      "start",
      "known.run.workflow === run.workflow && known.inputHash === run.inputHash",
      "known.run.workflow === run.workflow",
    ],
    [
      "compares inputs only",
      "start",
      "known.run.workflow === run.workflow && known.inputHash === run.inputHash",
      "known.inputHash === run.inputHash",
    ],
    [
      "compares the text of inputs",
      "start",
      "known.inputHash === run.inputHash",
      "known.run.input === run.input",
    ],
    [
      "lets runs be born claimed that start later",
      "start",
      "claim && run.due === undefined && holdsLease(scene)",
      "claim && holdsLease(scene)",
    ],
    [
      "lets dead workers bear runs",
      "start",
      "claim && run.due === undefined && holdsLease(scene)",
      "claim && run.due === undefined",
    ],
    [
      "claims every start of a worker",
      "start",
      "claim && run.due === undefined && holdsLease(scene)",
      "run.due === undefined && holdsLease(scene)",
    ],
    [
      "never lets a run be born claimed",
      "start",
      "claim && run.due === undefined && holdsLease(scene)",
      "claim && scene.now < 0",
    ],
    [
      "bears runs under attempt 0",
      "start",
      "attempt: 1, startedAt: now, dueAt: null",
      "attempt: 0, startedAt: now, dueAt: null",
    ],
    [
      "leaves born runs due",
      "start",
      "attempt: 1, startedAt: now, dueAt: null",
      "attempt: 1, startedAt: now",
    ],
    [
      "ignores when a run is to start",
      "start",
      "if (due === undefined) return now;",
      "if (due !== undefined || now > 0) return now;",
    ],
    ["takes a delay for an instant", "start", "now + due.inMs", "due.inMs"],
    [
      "accepts a message as often as it is sent",
      "messages",
      "row.messages.some(({ id }) => id === message.id)",
      "row.messages.length < 0",
    ],
    [
      "forgets ids of consumed messages",
      "messages",
      "({ id }) => id === message.id",
      "({ id, consumedBy }) => id === message.id && consumedBy === null",
    ],
    [
      "tells cancels from signals by type and id",
      "messages",
      "({ id }) => id === message.id",
      "({ id, type }) => id === message.id && type === message.type",
    ],
    [
      "sends messages to ended runs",
      "messages",
      'if (row.run.end !== null) return { is: "ended", status: row.run.end };',
      "",
    ],
    [
      "says of a repeated message that its run has ended",
      "messages",
      "  if (row.messages.some(",
      '  if (row.run.end !== null) return { is: "ended", status: row.run.end };\n  if (row.messages.some(',
    ],
    ["does not count messages", "messages", "inbox: no },", "},"],
    [
      "leaves a parked run asleep",
      "messages",
      "return { stuck: null, dueAt: Math.min(run.dueAt ?? now, now) };",
      "return { stuck: null };",
    ],
    [
      "wakes a run only if it sleeps without end",
      "messages",
      "Math.min(run.dueAt ?? now, now)",
      "run.dueAt ?? now",
    ],
    ["sends a due run to the end of the queue", "messages", "Math.min(run.dueAt ?? now, now)", "now"],
    ["leaves a canceled run stuck but due", "messages", "return { stuck: null, dueAt", "return { dueAt"],
    [
      "resumes what is not stuck",
      "operate",
      "if (row.run.stuck === null) return",
      "if (row.run.attempt < 0) return",
    ],
    ["answers an operator with no status", "operate", "status: statusOf(row.run, now)", 'status: "running"'],
    [
      "writes no entry on resume",
      "operate",
      "journal: [...row.journal, resumption(row, { value, now })]",
      "journal: row.journal",
    ],
    ["numbers the entry of resume from one", "operate", "(last?.seq ?? 0) + 1,", "1,"],
    [
      "writes the entry of resume before the last one",
      "operate",
      "Math.max(given.now, last?.at ?? 0)",
      "given.now",
    ],
    [
      "keeps what needs a person waiting for one",
      "operate",
      "nextAt: now } : state",
      "nextAt: null } : state",
    ],
    ["starts every retry anew", "operate", "state.nextAt === null ?", "state.key !== '' ?"],
    [
      "forgets doubt on resume",
      "operate",
      "...state, failures: 0, nextAt: now",
      "...state, failures: 0, nextAt: now, inDoubt: false",
    ],
    [
      "keeps a leaving worker alive",
      "leave",
      "draft.putWorker({ ...worker, live: false });",
      "draft.putWorker(worker);",
    ],
    [
      "keeps the runs of a leaving worker",
      "leave",
      "if (row.run.owner === id) draft.set(row, freed(now)",
      "if (row.run.owner === -1) draft.set(row, freed(now)",
    ],
    [
      "frees all runs when one worker leaves",
      "leave",
      "if (row.run.owner === id) draft.set(row, freed(now)",
      "if (row.run.owner !== null) draft.set(row, freed(now)",
    ],
  ]),
  ...inFile("memory/advance.ts", [
    ["consumes a message twice", "journal", "if (lost !== undefined)", "if (lost !== undefined && next < 0)"],
    [
      "lets anybody advance what nobody owns",
      "fence",
      "row.run.owner !== worker",
      "(row.run.owner ?? worker) !== worker",
    ],
    [
      "does not look at the owner",
      "fence",
      "row.run.owner !== worker || row.run.attempt",
      "row.run.owner === null || row.run.attempt",
    ],
    ["does not look at the attempt", "fence", " || row.run.attempt !== write.attempt", ""],
    [
      "accepts older attempts only",
      "fence",
      "row.run.attempt !== write.attempt",
      "row.run.attempt > write.attempt",
    ],
    ["accepts gaps in a journal", "journal", "if (gap !== -1)", "if (gap === -2)"],
    ["looks at the first seq only", "journal", "seq !== next + index", "index === 0 && seq !== next"],
    [
      "keeps the inbox of a refused park unseen",
      "park",
      "advanced.run.inbox > then.inbox",
      "advanced.run.inbox < 0",
    ],
    [
      "parks over the newest message",
      "park",
      "advanced.run.inbox > then.inbox",
      "advanced.run.inbox > then.inbox + 1",
    ],
    [
      "asks for messages that wait, not for those unseen",
      "park",
      "advanced.run.inbox > then.inbox",
      "advanced.messages.some(({ consumedBy }) => consumedBy === null)",
    ],
    ["drops the entries of a refused park", "park", "    draft.put(advanced);\n    return", "    return"],
    [
      "lets go of a run that it does not park",
      "park",
      "    draft.put(advanced);\n    return",
      "    draft.set(advanced, { owner: null });\n    return",
    ],
    [
      "keeps a parked run's owner",
      "park",
      "const parked = { ...freed(then.dueAt), waits",
      "const parked = { dueAt: then.dueAt, waits",
    ],
    ["forgets what a run waits for", "park", "waits: then.waits, interrupted: false", "interrupted: false"],
    [
      "keeps `interrupted` when it parks",
      "park",
      "waits: then.waits, interrupted: false",
      "waits: then.waits",
    ],
    [
      "keeps `interrupted` when it releases",
      "park",
      "...freed(now), interrupted: false }",
      "...freed(now) }",
    ],
    [
      "parks what is released",
      "park",
      "...freed(now), interrupted: false }",
      "...freed(null), interrupted: false }",
    ],
    [
      "forgets `interrupted` of a stuck run",
      "park",
      "...freed(null), stuck: then.stuck }",
      "...freed(null), stuck: then.stuck, interrupted: false }",
    ],
    [
      "leaves stuck runs due",
      "park",
      "...freed(null), stuck: then.stuck }",
      "...freed(now), stuck: then.stuck }",
    ],
    ["keeps retry rows of ended runs", "journal", "retries: new Map() }", "}"],
    ["does not end runs", "journal", 'phase: "done",', ""],
    ["forgets results", "journal", "result: then.result ?? null", "result: null"],
    ["forgets errors", "journal", "error: then.error ?? null", "error: null"],
    ["does not say when a run ended", "journal", "endedAt: now,", ""],
    [
      "stamps entries with no attempt of their own",
      "journal",
      "stamped(entries, run.attempt)",
      "stamped(entries, 1)",
    ],
    ["replaces tags", "journal", "{ tags: { ...row.run.tags, ...tags } }", "{ tags }"],
    ["ignores phases", "journal", "(phase === undefined ? {} : { phase })", "{}"],
    ["never resets strikes", "strikes", "progressed === true", "progressed === undefined && row.no < 0"],
    [
      "resets strikes with every entry",
      "strikes",
      "progressed === true",
      "progressed === true || entries.length > 0",
    ],
    ["does not know who is alone", "strikes", "alone: alone ?? row.alone", "alone: false"],
    [
      "forgets who is alone with the next write",
      "strikes",
      "alone: alone ?? row.alone",
      "alone: alone ?? false",
    ],
    [
      "never forgets who was alone",
      "strikes",
      "alone: alone ?? row.alone",
      "alone: alone === true || row.alone",
    ],
    [
      "does not consume messages",
      "journal",
      "by.get(message.no) ?? message.consumedBy",
      "message.consumedBy",
    ],
    ["keeps retry rows of settled steps", "journal", "for (const key of settled) states.delete(key);", ""],
    [
      "keeps the first row of a step's retries",
      "journal",
      "[...retries, ...changed.map((state) => [state.key, state] as const)]",
      "[...changed.map((state) => [state.key, state] as const), ...retries]",
    ],
  ]),
  ...inFile("memory/leases.ts", [
    [
      "gives longer leases than were asked for",
      "lease",
      "const expiresAt = now + request.leaseMs;",
      "const expiresAt = now + request.leaseMs + 1;",
    ],
    [
      "uses numbers of workers again",
      "fence",
      "draft.workers().length + 1",
      "draft.workers().filter(({ live }) => live).length + 1",
    ],
    ["renews dead leases", "fence", "if (worker?.live !== true)", "if (worker === undefined)"],
    [
      "revives dead workers that renew",
      "fence",
      "if (worker?.live !== true)",
      "if (worker !== undefined) draft.putWorker({ ...worker, live: true });\n  if (worker === undefined)",
    ],
    ["never extends a lease", "lease", "? now + leaseMs : expiresAt", "? expiresAt : expiresAt"],
    [
      "takes over nobody",
      "lease",
      "other.live && other.expiresAt <= now",
      "other.live && other.expiresAt < 0",
    ],
    [
      "takes over everybody",
      "lease",
      "other.live && other.expiresAt <= now",
      "other.live && other.id !== id",
    ],
    [
      "takes over the dead again and again",
      "lease",
      "other.live && other.expiresAt <= now",
      "other.id !== id && other.expiresAt <= now",
    ],
    ["says that nobody was taken over", "lease", "reaped: dead.length,", "reaped: 0,"],
    [
      "leaves the dead alive",
      "fence",
      "draft.putWorker({ ...worker, live: false });",
      "draft.putWorker({ ...worker, expiresAt: now + 1e9 });",
    ],
    [
      "frees all runs when one worker dies",
      "lease",
      "if (row.run.owner === worker.id) strike",
      "if (row.run.owner !== null) strike",
    ],
    [
      "tells a worker of the runs of others",
      "lease",
      "({ run }) => run.owner === id);",
      "({ run }) => run.owner !== null);",
    ],
    ["counts no strikes", "strikes", "strikes: strikes + 1,", "strikes,"],
    ["counts no strikes alone", "strikes", "(row.alone ? 1 : 0)", "0"],
    ["counts every strike as alone", "strikes", "(row.alone ? 1 : 0)", "1"],
    ["says nothing of the interruption", "strikes", "interrupted: true,", ""],
    [
      "leaves the runs of the dead asleep",
      "lease",
      "      ...freed(now),\n      strikes",
      "      ...freed(null),\n      strikes",
    ],
    [
      "lets dead workers claim",
      "fence",
      "const live = draft.worker(request.worker)?.live === true;",
      "const live = true;",
    ],
    ["claims what is excepted", "claim", " && !except.includes(run.id)", ""],
    [
      "counts what is excepted against the limit",
      "claim",
      "due.slice(0, request.limit)",
      "due.slice(0, Math.max(0, request.limit - except.length))",
    ],
    ["claims before the time", "claim", "dueAtOf(run) <= now)", "dueAtOf(run) <= now + 1e12)"],
    ["ignores the limit", "claim", "due.slice(0, request.limit)", "due"],
    ["ignores priority", "claim", "b.run.priority - a.run.priority || ", ""],
    [
      "claims the lowest priority first",
      "claim",
      "b.run.priority - a.run.priority",
      "a.run.priority - b.run.priority",
    ],
    [
      "claims what is due last first",
      "claim",
      "dueAtOf(a.run) - dueAtOf(b.run) ||",
      "dueAtOf(b.run) - dueAtOf(a.run) ||",
    ],
    [
      "claims what is owned",
      "claim",
      "run.owner === null && run.stuck === null && run.dueAt !== null",
      "run.stuck === null && (run.dueAt !== null || run.owner !== null)",
    ],
    [
      "claims under the old attempt",
      "claim",
      "attempt: run.attempt + 1",
      "attempt: Math.max(1, run.attempt)",
    ],
    [
      "says that a run was first claimed when it was last",
      "claim",
      "startedAt: run.startedAt ?? now",
      "startedAt: now",
    ],
    ["leaves claimed runs due", "claim", "dueAt: null, waits: []", "waits: []"],
    ["keeps what a claimed run waited for", "park", "dueAt: null, waits: []", "dueAt: null"],
    ["forgets the next due run", "claim", "left.reduce((a, b) => Math.min(a, b))", "null"],
    [
      "says that the next run is due last",
      "claim",
      "left.reduce((a, b) => Math.min(a, b))",
      "left.reduce((a, b) => Math.max(a, b))",
    ],
    ["counts claimed runs as the next to be due", "claim", "!taken.includes(row)", "taken.length >= 0"],
    ["tells messages to those who do not own their run", "messages", "row.run.owner !== worker || ", ""],
    ["tells the owner of messages that it knows", "messages", ".filter(({ no }) => no > after)", ""],
    ["hands out consumed messages", "journal", ".filter(({ consumedBy }) => consumedBy === null)", ""],
    ["gives a claim without its retries", "claim", "retries: [...retries.values()]", "retries: []"],
    [
      "gives a claim as it was before",
      "claim",
      "taken.flatMap(({ run }) => draft.run(run.id) ?? [])",
      "taken",
    ],
  ]),
  ...inFile("memory/rows.ts", [
    [
      "lets any version claim",
      "claim",
      "name === run.workflow && version === run.version",
      "name === run.workflow",
    ],
    [
      "lets any workflow claim",
      "claim",
      "name === run.workflow && version === run.version",
      "version === run.version",
    ],
    [
      "gives hints of nothing",
      "hints",
      "if (before === undefined) return after.dueAt !== null;",
      "if (before === undefined || before !== undefined) return false;",
    ],
    ["gives no hint of starts", "hints", "return after.dueAt !== null;", "return false;"],
    ["gives no hint of messages", "hints", "after.inbox !== before.inbox ||", ""],
    ["gives no hint of ends", "hints", "after.end !== before.end ||", ""],
    [
      "gives no hint of what became due",
      "hints",
      "(after.dueAt !== null && after.dueAt !== before.dueAt) ||",
      "",
    ],
    ["forgets who ended", "journal", "else this.#data.live.delete(id);", "else this.#data.runs.delete(id);"],
  ]),
  ...inFile("memory/reading.ts", [
    ["counts dead workers as capable", "lease", "live && canRun(workflows", "canRun(workflows"],
    ["counts all workers as capable", "lease", "live && canRun(workflows, row.run)", "live"],
    ["lists newest first always", "list, count, read", 'page.order !== "oldest"', "page.limit > 0"],
    [
      "lists oldest first by default",
      "list, count, read",
      'page.order !== "oldest"',
      'page.order === "newest"',
    ],
    ["repeats the last run of a page", "list, count, read", "newestFirst) < 0);", "newestFirst) <= 0);"],
    [
      "says that there is always another page",
      "list, count, read",
      "rows.length > runs.length && last",
      "last",
    ],
    [
      "ignores pages",
      "list, count, read",
      "after === undefined || comparePlaces",
      "after !== undefined || comparePlaces",
    ],
    ["filters no ids", "list, count, read", "ids === undefined || ids.includes(run.id)", "ids?.length !== 0"],
    [
      "takes no status for any",
      "list, count, read",
      "[status].flat().includes(statusOf(run, now))",
      "[status].flat().length === 0 || [status].flat().includes(statusOf(run, now))",
    ],
    [
      "filters no workflow",
      "list, count, read",
      "workflow === undefined || run.workflow === workflow",
      "workflow !== null",
    ],
    [
      "takes any of several tags",
      "list, count, read",
      "Object.entries(tag).every(",
      "Object.entries(tag).length === 0 || Object.entries(tag).some(",
    ],
    ["looks for names of tags only", "list, count, read", " && run.tags[name] === value", ""],
    [
      "leaves out what was created at `since`",
      "list, count, read",
      "run.createdAt >= since",
      "run.createdAt > since",
    ],
    [
      "includes what was created at `until`",
      "list, count, read",
      "run.createdAt < until",
      "run.createdAt <= until",
    ],
    ["hides the owner", "lease", "owner === undefined ? null : workerRecord(owner)", "null"],
  ]),
  ...inFile("memory/transaction.ts", [
    [
      "commits what was rolled back",
      "tx",
      "async rollback(): Promise<void> {\n    this.#mustBeOpen();",
      "async rollback(): Promise<void> {\n    await this.commit();",
    ],
    ["never commits", "tx", "this.#publish(draft);", ""],
    [
      "does not see its own writes",
      "tx",
      "const draft = this.#draft();\n    if (draft === undefined) return undefined;",
      "const draft = new Draft(this.#data);",
    ],
  ]),
  ...inFile("memory-store.ts", [
    [
      "keeps what was committed to itself",
      "list, count, read",
      "return new InMemory(this.#data, this.#options);",
      "return new InMemory(structuredClone({ ...this.#data, listeners: new Set<never>() }), this.#options);",
    ],
    [
      "writes beside the caller's transaction",
      "tx",
      "tx === undefined ? this.#atomically(work) : this.#own(tx).do(work)",
      "this.#atomically(work)",
    ],
    ["tells no outcomes", "tx", "onOutcomes?.(outcomes);", ""],
    [
      "lets leases into transactions",
      "tx",
      "if (tx !== undefined && lease !== undefined)",
      "if (tx !== undefined && lease === null)",
    ],
    [
      "runs the body of `transact` beside its transaction",
      "transact",
      "settle(await body(tx))",
      "settle(await body(undefined as never))",
    ],
    [
      "keeps what a fenced body wrote",
      "transact",
      'return outcome && { is: "fenced" };',
      'await tx.commit();\n    return { is: "fenced" };',
    ],
    [
      "forgets the entry of a transaction",
      "transact",
      "entries: [entry], settled }",
      "entries: [], settled }",
    ],
    ["keeps the retry row of a transaction", "transact", "entries: [entry], settled }", "entries: [entry] }"],
    [
      "answers done to an entry out of place",
      "transact",
      'if (outcome?.is === "refused") throw',
      'if (outcome?.is === "exists") throw',
    ],
    ["hands out what it keeps", "values", "return structuredClone(read(", "return (read("],
    [
      "keeps what it was handed",
      "values",
      "const batch = structuredClone({ writes, ...(lease === undefined ? {} : { lease }) });",
      "const batch = { writes, ...(lease === undefined ? {} : { lease }) };",
    ],
    ["forgets who stopped watching", "hints", "return () => this.#forget(own);", "return () => {};"],
    [
      "hints late for ever",
      "hints",
      "this.#options.clock.macrotask(() => {",
      "this.#options.clock.after(1e9, () => {",
    ],
  ]),
];
