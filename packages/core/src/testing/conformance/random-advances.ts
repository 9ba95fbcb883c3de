/** Draws what owners write: mostly sensible, sometimes stale or out of place, as the writes of real workers are. */
import type { AdvanceWrite, RetryState, RunDetails, Send, Then } from "../../store.ts";
import { childId, type Dice, runId } from "./dice.ts";
import {
  advance,
  cancel,
  end,
  entries,
  FAR_AWAY,
  LONG_AGO,
  park,
  RELEASE,
  retry,
  sendEvent,
  sendMessage,
  sendStart,
  signal,
  stick,
} from "./writes.ts";

export function randomAdvance(dice: Dice, { run, journal, messages }: RunDetails): AdvanceWrite {
  const attempt = dice.chance(0.1) ? Math.max(0, run.attempt - 1) : run.attempt;
  const next = (journal.at(-1)?.seq ?? 0) + (dice.chance(0.05) ? 2 : 1);
  const count = dice.below(3);
  const [message] = messages;
  const consumes = message !== undefined && count > 0 && dice.chance(0.5);
  const then = dice.chance(0.4) ? randomThen(dice, run.inbox) : undefined;
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
      ...(dice.chance(0.2) ? { outbox: randomEvents(dice) } : {}),
      ...(dice.chance(0.5)
        ? { sends: randomSends(dice, then === undefined ? [next, count] : [next, 0]) }
        : {}),
      ...(then === undefined ? {} : { then }),
    },
  );
}

/** One for each entry, or such as nobody asks about. */
function randomSends(dice: Dice, [next, count]: readonly [next: number, count: number]): Send[] {
  if (count === 0) return [sendMessage(null, cancel(childId(dice), `message-${dice.below(40)}`))];
  return Array.from({ length: count }, (_, index) => randomSend(dice, next + index));
}

function randomSend(dice: Dice, seq: number): Send {
  const draw = dice.below(4);
  if (draw === 0) return sendMessage(seq, signal(childId(dice), `message-${dice.below(40)}`));
  if (draw === 1) return sendEvent(seq, `event-${dice.below(3)}`, { payload: dice.pick(["1", "1", "2"]) });
  const byName = dice.chance(0.3) ? { version: null, priority: null, raw: true } : {};
  return sendStart(seq, childId(dice), {
    ...byName,
    input: dice.pick(["1", "1", "1", "2"]),
    key: `call-${dice.below(3)}`,
    awaited: dice.chance(0.7),
  });
}

function randomEvents(dice: Dice): NonNullable<AdvanceWrite["outbox"]> {
  return Array.from({ length: 1 + dice.below(2) }, () => ({
    id: `told-${dice.below(100)}`,
    text: runId(dice),
  }));
}

export function randomRetry(dice: Dice): RetryState {
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
    end(dice.pick(["completed", "failed", "canceled"]), { error: "2" }),
  ]);
}
