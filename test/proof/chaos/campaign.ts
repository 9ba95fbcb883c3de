import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arena } from "./arena.ts";
import { CANARY, deciphered } from "./canary.ts";
import { doneAgain, type Evidence, readAllRuns } from "./evidence.ts";
import { Field } from "./field.ts";
import { type Ground, groundAt } from "./ground.ts";
import { problemsIn } from "./invariants.ts";
import { Ledger } from "./ledger.ts";
import { FULL_DISKS } from "./small-disk.ts";
import { Stripe } from "./stripe.ts";
import { type Summary, summaryOf } from "./summary.ts";
import { Tally } from "./tally.ts";
import { WorkerSlot } from "./worker-slot.ts";
import { zombiesIn } from "./zombies.ts";

export interface CampaignOptions {
  readonly arena: Arena;
  readonly kills: number;
  /** Runs to be accepted, at least. */
  readonly runs?: number;
  readonly seed: number;
}

export interface Verdict {
  readonly problems: readonly string[];
  readonly summary: Summary;
  /** Bodies that a process began when it woke up, although others had settled them meanwhile: allowed, and rare. */
  readonly zombies: number;
  readonly seconds: number;
}

/** Its files lie in one folder, which is gone when this settles; and so are all processes. */
export async function campaign(options: CampaignOptions): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "everstep-campaign-"));
  const ground = await groundAt(options.arena.place);
  try {
    return await new Campaign(folder, ground, options).run();
  } finally {
    await ground.close();
    await options.arena.close();
    if (process.env["EVERSTEP_KEEP"] === "1") console.log(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

class Campaign {
  readonly #folder: string;
  readonly #ground: Ground;
  readonly #options: CampaignOptions;
  readonly #tally = new Tally();

  constructor(folder: string, ground: Ground, options: CampaignOptions) {
    this.#folder = folder;
    this.#ground = ground;
    this.#options = options;
  }

  async run(): Promise<Verdict> {
    const startedAt = performance.now();
    const [ground, cache, { arena }] = [this.#ground, join(this.#folder, "compiled"), this.#options];
    await ground.createApplication();
    const ledger = await Ledger.start(join(this.#folder, "ledger.db"), cache);
    const stripe = await Stripe.start(cache);
    const { leaseMs } = arena;
    const [first, ...others] = arena.workerPlaces.map(
      (place) => new WorkerSlot({ place, port: ledger.port, stripePort: stripe.port, leaseMs, cache }),
    );
    if (first === undefined) throw new Error("an arena has at least one worker");
    const slots = [first, ...others] as const;
    const field = new Field({ runs: 0, ...this.#options, ground, slots, ledger, stripe, tally: this.#tally });
    try {
      const found = await Promise.race([field.fight(), ledger.died]);
      const evidence = await this.#collect(field, { ledger, stripe });
      this.#tally.count(
        "restarts of workers",
        slots.reduce((sum, slot) => sum + slot.restarts, 0),
      );
      if (arena.disasters.some(({ name }) => name === FULL_DISKS))
        this.#tally.count(
          "calls that a full disk refused",
          slots.reduce((sum, slot) => sum + slot.fullDisks, 0),
        );
      return {
        problems: [...found, ...problemsIn(evidence)],
        summary: { ...summaryOf(evidence), ...this.#tally.counts },
        zombies: zombiesIn(evidence.events, doneAgain(evidence.runs)).late.size,
        seconds: (performance.now() - startedAt) / 1000,
      };
    } finally {
      await Promise.all([...slots.map((slot) => slot.abandon()), ledger.kill(), stripe.kill()]);
    }
  }

  async #collect(
    { callers, sessions }: Field,
    { ledger, stripe }: { readonly ledger: Ledger; readonly stripe: Stripe },
  ): Promise<Evidence> {
    const evidence: Evidence = {
      starts: callers.starts,
      signals: callers.signals,
      orders: callers.orders,
      operations: await stripe.operations(),
      runs: (await readAllRuns(this.#ground.store)).map(deciphered),
      events: await ledger.finish(),
      sessions,
      leaks: await this.#ground.find(CANARY),
      ...(await this.#ground.readApplication()),
    };
    if (process.env["EVERSTEP_KEEP"] === "1")
      writeFileSync(join(this.#folder, "evidence.json"), JSON.stringify(evidence));
    return evidence;
  }
}
