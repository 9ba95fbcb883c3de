/** The world outside of simulated programs: what their bodies do, what their code saw, and who else meddles. */
import { type Client, RunEndedError, type StepContext } from "@everstep/core";
import type { MemoryStore, MemoryTx, ProcessView, RunDump, WorldSetup } from "@everstep/core/testing";
import type { Evidence, Execution, Watched } from "../programs/evidence.ts";
import { familyOf, isCanceledByParent } from "../programs/family.ts";
import type { Doing, Outside } from "../programs/outside.ts";
import { isUnsent } from "../programs/program.ts";
import { memoryTable, type Table } from "../programs/table.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What counts as an effect: the one thing that a body does. */
export interface Effects {
  perform(step: StepContext, doing: Doing, process: ProcessView): Promise<string>;
  performNow(step: StepContext, doing: Doing, process: ProcessView): string;
  write(tx: unknown, doing: Doing, process: ProcessView): Promise<string>;
  writeNow(tx: unknown, doing: Doing, process: ProcessView): string;
}

interface Known {
  readonly executions: Mutable<Execution>[];
  readonly passes: (Watched & { readonly lines: string[] })[];
  readonly told: Set<string>;
  canceled: boolean;
}

/** How long effects take, in turn: some of them until others are done, or just as long as a timer beside them. */
const EFFECT_MS = [0, 0, 7, 0, 200] as const;

/** How long signals are on their way, in turn: some of them until the run has parked. */
const SIGNAL_MS = [0, 2, 1500, 5000] as const;

export class ProgramWorld {
  readonly effects: Effects = {
    perform: (step, doing, process) => this.#later(this.#begin(step, doing, process)),
    performNow: (step, doing, process) => this.#begin(step, doing, process),
    write: (tx, doing, process) => this.#write(tx, doing, process),
    writeNow: (tx, doing, process) => this.#writeNow(tx, doing, process),
  };
  readonly #setup: WorldSetup;
  readonly #isPrompt: boolean;
  readonly #runs = new Map<string, Known>();
  readonly #byToken = new Map<string, Mutable<Execution>>();
  readonly #failed = new Set<string>();
  readonly #asked = new Set<string>();
  /** Of a process that never dies; undefined once all is over, when nothing that is still on its way is sent any more. */
  client: Client<MemoryTx> | undefined;
  /** In the database of the store that the programs run on. */
  table: Table | undefined;
  #tokens = 0;

  /** `prompt`: a claim that was granted is answered at once, so that a pass begins with all that is durable. */
  constructor(setup: WorldSetup, { prompt }: { readonly prompt: boolean }) {
    this.#setup = setup;
    this.#isPrompt = prompt;
  }

  /** Before anything is started in it. */
  meets({ client, store }: { readonly client: Client<MemoryTx>; readonly store: MemoryStore }): void {
    this.client = client;
    this.table = memoryTable(store);
  }

  async rows(): Promise<readonly string[]> {
    return this.#table.tokens();
  }

  /** As the interpreter in this process knows it; `effects` is the process's own way to the world. */
  outsideOf(effects: Effects, process: ProcessView): Outside {
    return {
      beginPass: (run) => this.#beginPass(run, process),
      perform: (step, doing) => effects.perform(step, doing, process),
      performNow: (step, doing) => effects.performNow(step, doing, process),
      write: (tx, doing, how) => {
        const takes = this.#table.takes === "both" ? how : this.#table.takes;
        return effects[takes === "later" ? "write" : "writeNow"](tx, doing, process);
      },
      ended: (token, how) => {
        const execution = this.#byToken.get(token);
        if (execution !== undefined && !process.isDead) execution.ended = how;
      },
      find: (key) => this.#find(key),
      failsNow: (run, key) => {
        const place = `${run} ${key}`;
        const isFirst = !this.#failed.has(place);
        this.#failed.add(place);
        return isFirst;
      },
      cancel: (run) => this.#cancel(run),
      observe: (run, pass, line) => {
        if (!process.isDead) this.#observe(run, pass, line);
      },
    };
  }

  /** Of a run, with all that it has led to. Undefined when it is not there. */
  evidenceOf(
    id: string,
    runs: readonly RunDump[],
    how: Pick<Evidence, "faulty" | "jumped"> & { readonly rows: Evidence["rows"] | undefined },
  ): Evidence | undefined {
    return familyOf(id, runs, (run) => {
      const { executions, passes, canceled, told } = this.#known(run.id);
      return {
        run,
        executions,
        passes,
        canceled: canceled || isCanceledByParent(run),
        sent: [...told],
        ...how,
        rows: rowsOf(executions, how.rows),
      };
    });
  }

  #known(run: string): Known {
    const known = this.#runs.get(run) ?? { executions: [], passes: [], told: new Set(), canceled: false };
    this.#runs.set(run, known);
    return known;
  }

  #durable(run: string): number {
    return this.#setup.journal(run).length;
  }

  /** A process that was frozen may begin with a claim from before: others have gone on with the run since. */
  #beginPass(run: string, { lapses }: ProcessView): number {
    const { passes } = this.#known(run);
    const durable = lapses > 0 || !this.#isPrompt ? 0 : this.#durable(run);
    return passes.push({ pass: passes.length + 1, durable, lines: [] });
  }

  #observe(run: string, pass: number, line: string): void {
    this.#known(run).passes[pass - 1]?.lines.push(line);
    const signal = /^ask signal (\S+)$/.exec(line)?.[1];
    if (signal !== undefined && !isUnsent(signal)) this.#send(run, signal);
  }

  /** As somebody does who does not know the program. */
  cancel(run: string): Promise<void> {
    return this.#cancel(run);
  }

  get #table(): Table {
    if (this.table === undefined) throw new Error("nobody said where the rows of transactions are");
    return this.table;
  }

  /** Answers with its token. */
  #begin(step: StepContext | undefined, { run, ...doing }: Doing, { lapses }: ProcessView): string {
    this.#tokens += 1;
    const token = `t${this.#tokens}`;
    const execution: Mutable<Execution> = {
      ...doing,
      idempotencyKey: step?.idempotencyKey ?? "",
      attempt: step?.attempt ?? 0,
      token,
      durable: this.#durable(run),
      ...(lapses > 0 ? { thawed: true } : { stored: this.#setup.failures(run, rowOf(doing)) }),
    };
    this.#known(run).executions.push(execution);
    this.#byToken.set(token, execution);
    return token;
  }

  async #later(token: string): Promise<string> {
    const ms = EFFECT_MS[this.#tokens % EFFECT_MS.length] ?? 0;
    if (ms > 0)
      await new Promise<void>((resolve) => {
        this.#setup.clock.after(ms, resolve);
      });
    return token;
  }

  async #write(tx: unknown, doing: Doing, process: ProcessView): Promise<string> {
    const token = await this.#later(this.#begin(undefined, doing, process));
    await (process.isDead ? new Promise<never>(() => {}) : this.#table.insert(tx, token));
    return token;
  }

  #writeNow(tx: unknown, doing: Doing, process: ProcessView): string {
    const token = this.#begin(undefined, doing, process);
    this.#table.insert(tx, token);
    return token;
  }

  #find(key: string): string | undefined {
    for (const { executions } of this.#runs.values()) {
      const found = executions.find((one) => one.kind === "step" && one.idempotencyKey === key);
      if (found !== undefined) return found.token;
    }
    return undefined;
  }

  async #cancel(run: string): Promise<void> {
    this.#known(run).canceled = true;
    await this.client
      ?.get(run)
      .cancel()
      .catch((error: unknown) => this.#refused(error));
  }

  /** The run has ended meanwhile, or everything has. */
  #refused(error: unknown): void {
    if (this.client !== undefined && !(error instanceof RunEndedError)) throw error;
  }

  /** Once for each wait that the code asks for; when it comes, that may have given up. */
  #send(run: string, key: string): void {
    const place = `${run} ${key}`;
    if (this.#asked.has(place)) return;
    this.#asked.add(place);
    const ms = SIGNAL_MS[this.#asked.size % SIGNAL_MS.length] ?? 0;
    if (ms === 0) this.#sendNow(run, key);
    else this.#setup.clock.after(ms, () => this.#sendNow(run, key));
  }

  #sendNow(run: string, key: string): void {
    const sent = this.client?.get(run).signal(key.replace(/#\d+$/, ""), key, { id: key });
    sent?.then(
      () => this.#known(run).told.add(key),
      (error: unknown) => {
        // A person may have the run go back to where it waits for it again.
        this.#asked.delete(`${run} ${key}`);
        this.#refused(error);
      },
    );
  }
}

/** Those that these have written. */
function rowsOf(executions: readonly Execution[], rows: readonly string[] = []): readonly string[] {
  const own = new Set(executions.map(({ token }) => token));
  return rows.filter((token) => own.has(token));
}

/** Of an undo: what is stored of it is a row of its own. */
function rowOf({ kind, key }: Pick<Doing, "kind" | "key">): string {
  return kind === "undo" ? `${key}#undo` : key;
}
