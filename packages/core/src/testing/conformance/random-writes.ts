/** Draws writes that are mostly sensible and sometimes stale, repeated or wrong, as the writes of real processes are. */
import type { Prng } from "../../engine/prng.ts";
import type { AdvanceWrite, RunDetails, StartWrite, Then, Write } from "../../store.ts";
import {
  advance,
  cancel,
  end,
  entries,
  FAR_AWAY,
  HOUR_MS,
  LONG_AGO,
  park,
  RELEASE,
  resume,
  retry,
  signal,
  start,
  stick,
} from "./writes.ts";

export class Dice {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  below(limit: number): number {
    return Math.floor(this.#prng.next() * limit);
  }

  chance(probability: number): boolean {
    return this.#prng.next() < probability;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }
}

const RUNS = 8;

const runId = (dice: Dice): string => `run-${dice.below(RUNS)}`;

/** What is known of the runs when the writes are drawn. */
export type Known = ReadonlyMap<string, RunDetails>;

export function clientWrite(dice: Dice): Write {
  return dice.pick([randomStart, randomMessage, randomMessage, (dice: Dice) => resume(runId(dice))])(dice);
}

export function workerWrite(dice: Dice, known: Known): Write {
  if (dice.chance(0.25)) return clientWrite(dice);
  const details = known.get(runId(dice));
  return details === undefined ? randomStart(dice) : randomAdvance(dice, details);
}

type Due = NonNullable<StartWrite["run"]["due"]>;

function randomStart(dice: Dice): Write {
  return start(runId(dice), {
    input: dice.pick(["1", "1", "1", "2"]),
    version: dice.pick(["1", "1", "1", "2"]),
    priority: dice.below(3),
    ...(dice.chance(0.3)
      ? { due: dice.pick<Due>([{ inMs: HOUR_MS }, { at: FAR_AWAY }, { at: LONG_AGO }]) }
      : {}),
    ...(dice.chance(0.5) ? { tags: { city: dice.pick(["Lisbon", "Porto"]) } } : {}),
  });
}

function randomMessage(dice: Dice): Write {
  const id = `message-${dice.below(40)}`;
  return dice.chance(0.2)
    ? cancel(runId(dice), id)
    : signal(runId(dice), id, { name: dice.pick(["a", "b"]) });
}

function randomAdvance(dice: Dice, { run, journal, messages }: RunDetails): AdvanceWrite {
  const attempt = dice.chance(0.1) ? Math.max(0, run.attempt - 1) : run.attempt;
  const next = (journal.at(-1)?.seq ?? 0) + (dice.chance(0.05) ? 2 : 1);
  const count = dice.below(3);
  const [message] = messages;
  const consumes = message !== undefined && count > 0 && dice.chance(0.5);
  return advance(
    { runId: run.id, attempt },
    {
      entries: entries(next, next + count - 1),
      ...(consumes ? { consume: [[message.no, next]] as const } : {}),
      ...(dice.chance(0.3) ? { retries: [randomRetry(dice)] } : {}),
      ...(dice.chance(0.2) ? { settled: [`key-${dice.below(3)}`] } : {}),
      ...(dice.chance(0.2) ? { tags: { [dice.pick(["city", "size"])]: dice.pick(["Faro", "m"]) } } : {}),
      ...(dice.chance(0.1) ? { phase: dice.pick(["closing", "compensating"]) } : {}),
      ...(dice.chance(0.2) ? { progressed: true } : {}),
      ...(dice.chance(0.3) ? { alone: dice.chance(0.5) } : {}),
      ...(dice.chance(0.4) ? { then: randomThen(dice, run.inbox) } : {}),
    },
  );
}

function randomRetry(dice: Dice) {
  return retry(`key-${dice.below(3)}`, {
    failures: dice.below(9),
    nextAt: dice.pick([null, FAR_AWAY]),
    inDoubt: dice.chance(0.5),
  });
}

function randomThen(dice: Dice, inbox: number): Then {
  const waits = [{ kind: "timer", key: "nap", until: FAR_AWAY }] as const;
  const seen = dice.chance(0.2) ? Math.max(0, inbox - 1) : inbox;
  return dice.pick<Then>([
    park(seen, { waits }),
    park(seen, { dueAt: FAR_AWAY, waits }),
    park(seen, { dueAt: LONG_AGO }),
    RELEASE,
    stick(),
    end(dice.pick(["completed", "failed", "canceled"]), { result: "1" }),
  ]);
}
