/** Draws what clients and people write: mostly sensible, sometimes stale, repeated or wrong, as in real life. */
import type { ImportWrite, NewRun, OperateWrite, RunDetails, Write } from "../../store.ts";
import { childId, type Dice, type Known, runId, someRun } from "./dice.ts";
import { randomAdvance, randomRetry } from "./random-advances.ts";
import {
  cancel,
  emit,
  entries,
  entry,
  EVENT,
  FAR_AWAY,
  HOUR_MS,
  importing,
  LONG_AGO,
  mend,
  pause,
  pauseWorkflow,
  purge,
  resume,
  signal,
  start,
  written,
} from "./writes.ts";

type Draw = (dice: Dice, known: Known) => Write;

/** As often as they are named here. */
const CLIENT_WRITES: readonly (readonly [times: number, draw: Draw])[] = [
  [5, randomStart],
  [8, randomMessage],
  [6, (dice, known) => randomOperation(dice, known, resume)],
  [2, (dice, known) => randomOperation(dice, known, pause)],
  [4, randomMend],
  [2, randomEmit],
  [1, randomPauseWorkflow],
  [1, randomPurge],
  [1, randomImport],
];

export function clientWrite(dice: Dice, known: Known): Write {
  const draws = CLIENT_WRITES.flatMap(([times, draw]) => Array.from({ length: times }, () => draw));
  return (draws[dice.below(draws.length)] ?? randomStart)(dice, known);
}

/** Mostly of a run that this worker owns. */
export function workerWrite(dice: Dice, known: Known, worker: number | null): Write {
  if (dice.chance(0.25)) return clientWrite(dice, known);
  const own = new Map([...known].filter(([, { run }]) => run.owner === worker));
  const details = someRun(dice, own.size > 0 && dice.chance(0.9) ? own : known);
  return details === undefined ? randomStart(dice) : randomAdvance(dice, details);
}

type Due = NonNullable<NewRun["due"]>;

function randomStart(dice: Dice): Write {
  return start(runId(dice), {
    input: dice.pick(["1", "1", "1", "2"]),
    version: dice.pick(["1", "1", "1", "2", null]),
    priority: dice.below(3),
    ...(dice.chance(0.3)
      ? { due: dice.pick<Due>([{ inMs: HOUR_MS }, { at: FAR_AWAY }, { at: LONG_AGO }]) }
      : {}),
    ...(dice.chance(0.5) ? { tags: { city: dice.pick(["Lisbon", "Porto"]) } } : {}),
  });
}

function randomMessage(dice: Dice, known: Known): Write {
  const id = `message-${dice.below(40)}`;
  const to = someRun(dice, known)?.run.id ?? runId(dice);
  return dice.chance(0.2) ? cancel(to, id) : signal(to, id, { name: dice.pick(["a", "b"]) });
}

function randomOperation(dice: Dice, known: Known, operation: (runId: string) => OperateWrite): Write {
  const isResume = operation === resume;
  const asleep = new Map([...known].filter(([, { run }]) => run.paused !== null || run.stuck !== null));
  const to = someRun(dice, isResume && dice.chance(0.7) ? asleep : known)?.run.id ?? runId(dice);
  return { ...operation(to), id: `operation-${dice.below(200)}` };
}

function randomMend(dice: Dice, known: Known): Write {
  const details = someRun(dice, known);
  if (details === undefined) return randomStart(dice);
  const { run, journal } = details;
  const next = journal.length + (dice.chance(0.05) ? 2 : 1);
  const done = journal.find(({ kind }) => kind === "reset");
  const key = done !== undefined && dice.chance(0.1) ? done.key : `reset-${dice.below(1_000)}`;
  return mend(details, {
    entries: [entry(next, { kind: "reset", key }), ...entries(next + 1, next + dice.below(2))],
    attempt: dice.chance(0.1) ? run.attempt + 1 : run.attempt,
    length: journal.length - (dice.chance(0.1) ? 1 : 0),
    then: dice.pick(["due", "due", "stay"]),
    ...(dice.chance(0.5) ? { phase: "forward" } : {}),
    ...(dice.chance(0.2) ? { version: dice.pick(["1", "1", "2"]) } : {}),
    ...(dice.chance(0.3) ? { retries: [randomRetry(dice)] } : {}),
    ...(dice.chance(0.3)
      ? { settled: dice.pick<readonly string[] | "all">(["all", ["key-0", "key-1"]]) }
      : {}),
  });
}

function randomEmit(dice: Dice): Write {
  return emit(`event-${dice.below(3)}`, {
    name: dice.pick([EVENT, EVENT, "other"]),
    payload: dice.pick(["1", "1", "2"]),
  });
}

function randomPauseWorkflow(dice: Dice): Write {
  return pauseWorkflow(dice.pick(["order", "mail"]), dice.pick([null, null, null, '"a"', '"b"']));
}

function randomPurge(dice: Dice, known: Known): Write {
  const over = [...known.values()].filter(({ run }) => run.end !== null);
  return purge(over[dice.below(over.length)]?.run.id ?? runId(dice));
}

/** A fork of a run that is there, or one from elsewhere. */
function randomImport(dice: Dice, known: Known): ImportWrite {
  const details = dice.chance(0.5) ? someRun(dice, known) : undefined;
  const awaits = Array.from({ length: dice.below(3) }, (_, index) => ({
    runId: childId(dice),
    key: `call-${index}`,
  }));
  return importing(childId(dice), {
    awaits,
    ...(details === undefined ? fromElsewhere(dice) : forkOf(details)),
  });
}

function fromElsewhere(dice: Dice): Pick<ImportWrite, "journal" | "messages" | "retries"> {
  return {
    journal: entries(1, dice.below(3)).map((one) => written(one)),
    messages: [{ type: "signal", id: "message-1", name: "a", payload: "1", at: LONG_AGO }],
    retries: dice.chance(0.5) ? [randomRetry(dice)] : [],
  };
}

function forkOf({ run, journal, retries }: RunDetails): Partial<Parameters<typeof importing>[1]> {
  const { workflow, version, parent, phase, end, stuck, paused, result, error, attempt, tags } = run;
  const endedAt = end === null ? null : LONG_AGO + 2;
  return {
    run: { workflow, version, parent, phase, end, stuck, paused, result, error, attempt, tags, endedAt },
    // When it was resumed is another instant in each store.
    journal: journal.map((one) => ({ ...one, at: LONG_AGO })),
    retries: retries.map((row) => ({ ...row, firstAt: LONG_AGO, nextAt: row.nextAt && FAR_AWAY })),
  };
}
