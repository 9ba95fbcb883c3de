/** A run as a release has written it: its journal, what there was beside it after each commit, and what it came to. */
import type { AnyWorkflow, Entry, NewMessage, RunRecord, Workflow } from "../../src/index.ts";
import type { RunDump } from "../../src/testing/index.ts";
import { type Process, World } from "../support/world.ts";
import type { Outside, Scenario } from "./scenarios.ts";

export interface Recording {
  readonly run: Pick<RunDump, "workflow" | "version" | "input" | "inputHash" | "timeoutMs" | "createdAt">;
  readonly journal: RunDump["journal"];
  readonly moments: readonly Moment[];
  readonly end: Pick<RunRecord, "end" | "result" | "error">;
}

/** After one commit, when the worker that made it may have died. */
export interface Moment extends Pick<RunDump, "phase" | "stuck" | "tags" | "messages" | "retries"> {
  readonly at: number;
  /** How many entries the journal had. */
  readonly entries: number;
}

const RUN = "golden";
/** Virtual time in which every scenario ends. */
const PATIENCE_MS = 3_600_000;

/** A scenario in a world of its own, with what answers its run from outside. */
export class Stage {
  readonly world = new World();
  readonly definition: AnyWorkflow;
  /** With those that it calls. */
  readonly workflows: readonly AnyWorkflow[];
  /** The bodies that began. */
  readonly began: { readonly key: string; readonly attempt: number }[] = [];
  readonly #scenario: Scenario;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const outside: Outside = {
      began: ({ idempotencyKey, attempt }) => this.began.push({ key: idempotencyKey, attempt }),
      mended: () => this.run.journal.some(({ kind }) => kind === "resume" || kind === "reset"),
    };
    this.definition = scenario.workflow(outside);
    this.workflows = [this.definition, ...(scenario.others?.() ?? [])];
  }

  get run(): RunDump {
    return this.world.run(RUN);
  }

  /** From its start to its end by this build. */
  async record(): Promise<Recording> {
    const process = this.world.process();
    const moments: Moment[] = [];
    const commit = process.store.commit.bind(process.store);
    process.store.commit = async (batch) => {
      const outcomes = await commit(batch);
      if (this.run.end === null) moments.push(this.#moment());
      return outcomes;
    };
    await process.startWorker(this.workflows);
    await process.start(this.definition as unknown as Workflow, this.#scenario.input, { id: RUN });
    await this.goOn(process.client);
    const { workflow, version, input, inputHash, timeoutMs, createdAt, journal, end, result, error } =
      this.run;
    const run = { workflow, version, input, inputHash, timeoutMs, createdAt };
    // What other runs had come to at each moment is not recorded.
    const kept = this.#scenario.others === undefined ? moments : moments.slice(-1);
    return anonymous({ run, journal, moments: kept, end: { end, result, error } });
  }

  #moment(): Moment {
    const { phase, stuck, tags, messages, retries, journal } = this.run;
    const at = this.world.clock.now();
    return { at, entries: journal.length, phase, stuck, tags, messages, retries };
  }

  /** Puts the run into the store as the recording has it at that moment; nobody owns it. */
  async restore({ run, journal }: Recording, moment: Moment): Promise<void> {
    const { world } = this;
    const entries = journal.slice(0, moment.entries);
    const lease = await world.store.join({ workflows: [], leaseMs: PATIENCE_MS, host: "h", pid: 1 });
    const { createdAt, ...start } = run;
    await world.pass(createdAt - world.clock.now());
    const born = { kind: "start", claim: true, run: { ...start, id: RUN, priority: 0, tags: {} } } as const;
    await world.store.commit({ writes: [born], lease: { worker: lease.worker, batch: 1 } });
    for (const message of moment.messages) {
      await world.pass(message.at - world.clock.now());
      await world.store.commit({ writes: [{ kind: "message", runId: RUN, message: message as NewMessage }] });
    }
    await world.pass(moment.at - world.clock.now());
    const consume = moment.messages.flatMap(({ no, consumedBy }) =>
      consumedBy === null ? [] : [[no, consumedBy] as const],
    );
    const { phase, tags, retries, stuck } = moment;
    const then = stuck === null ? ({ do: "release" } as const) : ({ do: "stick", stuck } as const);
    const state = { entries, consume, phase, tags, retries, then };
    const write = { kind: "advance", runId: RUN, attempt: 1, ...state } as const;
    const batch = { writes: [write], lease: { worker: lease.worker, batch: 2 } };
    const [outcome] = await world.store.commit(batch);
    if (outcome?.is !== "done") throw new Error(`it can't be restored: ${JSON.stringify(outcome)}`);
  }

  /** To the run's end, with a worker that is there. */
  async goOn(client: Process["client"]): Promise<void> {
    const handle = client.get(RUN);
    const until = this.world.clock.now() + PATIENCE_MS;
    while (this.run.end === null) {
      if (this.world.clock.now() > until) throw new Error(`it does not end: ${this.world.describe()}`);
      const { waits, stuck, journal } = this.run;
      for (const { key } of waits) {
        const { signals = {}, canceledAt } = this.#scenario;
        if (Object.hasOwn(signals, key))
          await this.world.settle(handle.signal(key, signals[key], { id: key }));
        if (key === canceledAt && !journal.some(({ kind }) => kind === "cancel"))
          await this.world.settle(handle.cancel({ reason: "moved" }));
      }
      if (stuck !== null && stuck.code !== "EXHAUSTED") throw new Error(stuck.message);
      if (stuck !== null) await this.world.settle(this.#mend(client));
      await this.world.pass(this.world.clock.nextMs ?? 0);
    }
  }

  #mend({ runs }: Process["client"]): Promise<void> {
    const { rewoundTo } = this.#scenario;
    const order = { by: "ada", because: "mended" };
    return rewoundTo === undefined ? runs.resume(RUN, order) : runs.rewind(RUN, { ...order, to: rewoundTo });
  }
}

/** The lines of a stack in JSON, and in JSON within JSON. */
const STACK = /(\\+n)\s+at .*?(?:\\+n\s+at .*?)*(?=\\*")/g;

/** Its key is drawn by a client. */
export function isByPerson({ kind }: Pick<Entry, "kind">): boolean {
  return kind === "resume" || kind === "reset";
}

/** Without what differs each time: the stacks of the machine that made it, and the ids that a client draws for its orders. */
function anonymous({ journal, moments, ...rest }: Recording): Recording {
  const recording = {
    ...rest,
    journal: journal.map((entry) => (isByPerson(entry) ? { ...entry, key: "mended" } : entry)),
    moments: moments.map((moment) => ({
      ...moment,
      messages: moment.messages.map((message) =>
        message.type === "cancel" ? { ...message, id: "canceled" } : message,
      ),
    })),
  };
  const text = JSON.stringify(recording, (_key, value: unknown) =>
    typeof value === "string" ? value.replaceAll(STACK, "$1    at somewhere") : value,
  );
  return JSON.parse(text) as Recording;
}
