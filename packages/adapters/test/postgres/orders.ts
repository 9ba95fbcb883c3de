/** A small workflow, many runs of it, and an account of what its bodies did: nothing twice, and no attempt used up. */
import {
  Client,
  type Logger,
  type StepContext,
  type Store,
  Worker,
  type WorkerOptions,
  workflow,
  type Workflow,
} from "@everstep/core";
import type { ClientBase } from "pg";
import { expect, onTestFinished } from "vitest";
import { type PostgresTx, transaction } from "../../src/postgres/index.ts";
import type { Bed } from "./bed.ts";
import { eventually } from "../hand.ts";

type Place = "charge" | "book" | "mail";

/** Where bodies of a step wait until the test lets them go. */
export interface Gate {
  /** Settles with the process of the transaction's session, or 0, when the first body is there. */
  readonly reached: Promise<number>;
  open(): void;
}

interface Call {
  readonly key: string;
  readonly attempt: number;
}

export interface OrdersOptions extends Omit<WorkerOptions<PostgresTx>, "store" | "workflows"> {
  /** The SQL of each run's transaction, beside its booking. */
  readonly sql?: (db: ClientBase, run: string) => Promise<unknown>;
}

/** A client and a worker on one store. Each run charges, books in a transaction, and mails. */
export class Orders {
  readonly client: Client<PostgresTx>;
  readonly worker: Worker<PostgresTx>;
  readonly workflow: Workflow<number, number>;
  /** What steps were called with. */
  readonly calls: Call[] = [];
  /** How often bodies of the transaction were called. */
  bookings = 0;
  readonly complaints: string[] = [];
  readonly started: string[] = [];
  readonly #bed: Bed;
  readonly #store: Store<PostgresTx>;
  readonly #sql: OrdersOptions["sql"];
  readonly #gates = new Map<
    Place,
    { readonly opened: Promise<void>; readonly reached: (pid: number) => void }
  >();

  constructor(bed: Bed, store: Store<PostgresTx>, { sql, ...options }: OrdersOptions = {}) {
    this.#bed = bed;
    this.#store = store;
    this.#sql = sql;
    this.client = new Client({ store });
    this.workflow = this.#define();
    this.worker = new Worker({ store, workflows: [this.workflow], logger: this.#logger(), ...options });
  }

  /** With a worker that has started. */
  static async open(bed: Bed, store: Store<PostgresTx>, options?: OrdersOptions): Promise<Orders> {
    await Orders.makeTable(bed);
    const orders = new Orders(bed, store, options);
    onTestFinished(async () => void (await orders.worker.stop({ grace: 0 })));
    await orders.worker.start();
    return orders;
  }

  /** The application's own, and what its transactions write to. */
  static async makeTable(bed: Bed): Promise<void> {
    await bed.migrate();
    await bed.place.rows("CREATE TABLE IF NOT EXISTS @bookings (run text NOT NULL)");
  }

  /** From now on bodies of this step wait: all of them, or only those of one run. */
  hold(place: Place): Gate {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const { promise: arrived, resolve: reached } = Promise.withResolvers<number>();
    this.#gates.set(place, { opened, reached });
    onTestFinished(() => open());
    return {
      reached: arrived,
      open: () => {
        this.#gates.delete(place);
        open();
      },
    };
  }

  /** Durably started when it resolves, and perhaps over. */
  async start(count: number): Promise<void> {
    const from = this.started.length;
    const ids = Array.from({ length: count }, (_, n) => `order-${from + n}`);
    this.started.push(...ids);
    await Promise.all(ids.map((id, n) => this.client.start(this.workflow, from + n, { id })));
  }

  /** Keeps so many runs under way, each followed by another one, until `faults` is over. */
  async during(faults: () => Promise<unknown>, { inFlight = 10 } = {}): Promise<void> {
    const over = new AbortController();
    const feed = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const n = this.started.length;
        const id = `order-${n}`;
        this.started.push(id);
        const run = await this.client.start(this.workflow, n, { id });
        await run.result();
      }
    };
    const feeding = Array.from({ length: inFlight }, feed);
    try {
      await faults();
    } finally {
      over.abort();
    }
    await Promise.all(feeding);
  }

  /** So many more steps are taken. */
  async progress(steps: number): Promise<void> {
    const until = this.calls.length + steps;
    await eventually(`${steps} more steps`, () => this.calls.length >= until);
  }

  results(): Promise<readonly number[]> {
    return Promise.all(this.started.map((id) => this.client.get<number>(id).result({ timeout: "100s" })));
  }

  /**
   * All runs complete, as if nothing had happened: each body was called once, in its first attempt, each booking is there once. And
   * each run stayed with its worker, unless `claims` allows for more.
   */
  async allWell({ claims = 1 }: { readonly claims?: number } = {}): Promise<void> {
    expect(await this.results()).toEqual(this.started.map((_, n) => n));
    const expected = this.started.flatMap((id) => [`${id}/charge`, `${id}/mail`]);
    expect(this.calls.map(({ key }) => key).toSorted()).toEqual(expected.toSorted());
    expect(this.calls.filter(({ attempt }) => attempt !== 1)).toEqual([]);
    const booked = await this.#bed.place.rows<{ run: string }>("SELECT run FROM @bookings");
    expect(booked.map(({ run }) => run).toSorted()).toEqual(this.started.toSorted());
    for (const id of this.started) await this.#isWell(id, claims);
    await this.#bed.untilQuiet();
  }

  async #isWell(id: string, claims: number): Promise<void> {
    const { run, journal = [], retries } = (await this.#store.read(id)) ?? {};
    expect({
      id,
      journal: journal.map(({ kind, key }) => `${kind} ${key}`),
      retries,
      strikes: run?.strikes,
    }).toEqual({
      id,
      journal: ["step charge", "step book", "step mail", "end completed"],
      retries: [],
      strikes: 0,
    });
    expect(run?.attempt).toBeLessThanOrEqual(claims);
  }

  #define(): Workflow<number, number> {
    return workflow({ name: "order" }, async (ctx, n: number) => {
      await ctx.step("charge", (step) => this.#called("charge", step));
      await transaction(ctx, "book", (db) => this.#book(db, ctx.run.id));
      await ctx.step("mail", (step) => this.#called("mail", step));
      return n;
    });
  }

  async #called(place: Place, { idempotencyKey: key, attempt }: StepContext): Promise<void> {
    this.calls.push({ key, attempt });
    await this.#pass(place, 0);
  }

  async #book(db: ClientBase, run: string): Promise<void> {
    this.bookings += 1;
    await db.query(`INSERT INTO ${this.#bed.place.quoted}.bookings VALUES ($1)`, [run]);
    await this.#sql?.(db, run);
    await this.#pass("book", "processID" in db ? Number(db.processID) : 0);
  }

  async #pass(place: Place, pid: number): Promise<void> {
    const gate = this.#gates.get(place);
    gate?.reached(pid);
    await gate?.opened;
  }

  #logger(): Logger {
    const complain = (message: string): void => void this.complaints.push(message);
    const silent = (): void => {};
    return { debug: silent, info: silent, warn: complain, error: complain };
  }
}
