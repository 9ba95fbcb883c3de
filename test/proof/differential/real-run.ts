/** Many programs at once on a real store, in real time, by one process after the other: each but the last dies at a drawn call. */
import { Client, RunCanceledError, RunFailedError, type Store, systemClock, Worker } from "@everstep/core";
import {
  crashStore,
  type MemoryTx,
  processClock,
  type ProcessView,
  recordCalls,
  type RunDump,
} from "@everstep/core/testing";
import type { Evidence } from "../programs/evidence.ts";
import { DEFINITION, interpreters } from "../programs/interpreter.ts";
import type { Node, Program } from "../programs/program.ts";
import type { Table } from "../programs/table.ts";
import { ProgramWorld } from "../simulated/program-world.ts";
import type { Random } from "../random.ts";

/** A kind of store, as each process opens it anew. */
export interface Ground {
  readonly name: string;
  /** In the same database. */
  readonly table: Table;
  open(): Promise<Store>;
  /** Settles when all that it made is gone. */
  close(): Promise<void>;
}

export interface RealRun {
  /** In the order of the programs. */
  readonly evidence: readonly Evidence[];
  /** Processes that died. */
  readonly crashes: number;
}

const CALLS_MAX = 60;
const RUNS_MAX = 10_000;
const LEASE_MS = 3000;
const PATIENCE_MS = 90_000;

/** In real time nobody sleeps for minutes. What lasts for an hour is there to lose a race. */
export function hastened(program: Program): Program {
  return program.map(hasten);
}

const HASTE: Readonly<Record<number, number>> = { 200: 30, 3000: 90, 90_000: 250 };

function hasten(node: Node): Node {
  return JSON.parse(JSON.stringify(node), (key, value: unknown) =>
    key === "ms" && typeof value === "number" ? (HASTE[value] ?? value) : value,
  ) as Node;
}

export async function runOn(
  ground: Ground,
  programs: readonly Program[],
  { crashes, random }: { readonly crashes: number; readonly random: Random },
): Promise<RealRun> {
  const world = new ProgramWorld(
    { clock: systemClock, journal: () => [], failures: () => 0 },
    { prompt: false },
  );
  const outside = await ground.open();
  world.client = new Client<MemoryTx>({ store: outside });
  world.table = ground.table;
  try {
    let died = 0;
    for (let no = 1; no <= crashes; no++) {
      const life = new Life(await ground.open(), {
        no,
        world,
        diesAt: random.between(1, CALLS_MAX),
        before: random.chance(0.5),
      });
      if (await life.live(programs)) break;
      died += 1;
    }
    const last = new Life(await ground.open(), { no: crashes + 1, world, diesAt: undefined, before: false });
    await last.live(programs);
    return { evidence: await evidenceOf(outside, programs, world), crashes: died };
  } finally {
    world.client = undefined;
    await outside.close();
  }
}

interface LifeOptions {
  readonly no: number;
  readonly world: ProgramWorld;
  readonly diesAt: number | undefined;
  readonly before: boolean;
}

/** One process, from its birth to its death or to the end of all programs. */
class Life implements ProcessView {
  readonly no: number;
  readonly lapses: number = 0;
  isDead = false;
  readonly #store: Store;
  readonly #options: LifeOptions;

  constructor(store: Store, options: LifeOptions) {
    this.#store = store;
    this.#options = options;
    this.no = options.no;
  }

  /** True when every program has ended, false when it died before. */
  async live(programs: readonly Program[]): Promise<boolean> {
    const { world, diesAt, before } = this.#options;
    const clock = processClock(systemClock);
    const death = Promise.withResolvers<false>();
    const onCrash = (): void => {
      this.isDead = true;
      clock.kill();
      death.resolve(false);
    };
    const store =
      diesAt === undefined
        ? recordCalls(this.#store)
        : crashStore(this.#store, { at: diesAt, when: before ? "before" : "after", onCrash });
    const workflows = interpreters(world.outsideOf(this.#effects(), this));
    const worker = new Worker({ store, clock, workflows, lease: LEASE_MS, logger: SILENT });
    const work = async (): Promise<true> => {
      await worker.start();
      const client = new Client({ store, clock });
      const runs = await Promise.all(
        programs.map((program, index) => client.start(DEFINITION, program, { id: `run-${index}` })),
      );
      await Promise.all(
        runs.map((run) =>
          run.result({ timeout: PATIENCE_MS }).catch(async (error: unknown) => {
            if (!isEnd(error)) throw new Error(`L1: ${await client.runs.why(run.id)}`, { cause: error });
          }),
        ),
      );
      await worker.stop();
      return true;
    };
    try {
      return await Promise.race([work(), death.promise]);
    } finally {
      await this.#store.close();
    }
  }

  /** What can't be kept waiting for ever is ended; nobody gets to see with what. */
  #alive(process: ProcessView): ProcessView {
    if (this.isDead) throw new Error("its process is dead");
    return process;
  }

  #effects(): ProgramWorld["effects"] {
    const { effects } = this.#options.world;
    return {
      perform: (step, doing, process) =>
        this.isDead ? new Promise(() => {}) : effects.perform(step, doing, process),
      performNow: (step, doing, process) => effects.performNow(step, doing, this.#alive(process)),
      write: (tx, doing, process) =>
        this.isDead ? new Promise(() => {}) : effects.write(tx, doing, process),
      writeNow: (tx, doing, process) => effects.writeNow(tx, doing, this.#alive(process)),
    };
  }
}

async function evidenceOf(
  store: Store,
  programs: readonly Program[],
  world: ProgramWorld,
): Promise<readonly Evidence[]> {
  const { runs: all } = await store.list({}, { limit: RUNS_MAX });
  const rows = await world.rows();
  const runs = await Promise.all(
    all.map(async ({ id }) => {
      const details = await store.read(id);
      if (details === undefined) throw new Error(`I1: ${id} is not there`);
      // What the judge of single runs looks at besides is not compared.
      const { run, journal, retries } = details;
      return { ...run, journal, retries, messages: [] } as unknown as RunDump;
    }),
  );
  return programs.map((_, index) => {
    const evidence = world.evidenceOf(`run-${index}`, runs, { faulty: true, rows });
    if (evidence === undefined) throw new Error(`I1: run-${index} is not there`);
    return evidence;
  });
}

/** A program may fail or be canceled: that is an end as well. */
function isEnd(error: unknown): boolean {
  return error instanceof RunFailedError || error instanceof RunCanceledError;
}

const ignore = (): void => {};
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };
