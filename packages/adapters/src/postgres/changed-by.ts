import type { AdvanceWrite, Interest, Send, Write } from "@everstep/core";
import type { Applied } from "./replies.ts";

/** The runs that others want to hear of, after a batch. */
export function changedBy(
  writes: readonly Write[],
  { at, outcomes, woke }: Applied,
): Readonly<Record<Interest, readonly string[]>> {
  const changed: Record<Interest, string[]> = { work: [...woke], ends: [] };
  for (const [index, write] of writes.entries()) {
    const outcome = outcomes[index];
    if (write.kind === "start") {
      if (outcome?.is === "created" && !outcome.claimed) changed.work.push(write.run.id);
    } else if (outcome?.is === "done") addRuns(changed, write, at);
  }
  return changed;
}

function addRuns(changed: Record<Interest, string[]>, write: Write, at: number): void {
  switch (write.kind) {
    case "advance": {
      const interest = interestIn(write, at);
      if (interest !== undefined) changed[interest].push(write.runId);
      changed.work.push(...(write.sends ?? []).flatMap(targetOf));
      return;
    }
    case "message":
    case "operate":
    case "mend":
      return void changed.work.push(write.runId);
    case "import":
      return void changed.work.push(write.run.id);
    default:
  }
}

/** Hints may be of too many: what was refused is not looked for. */
function targetOf(send: Send): readonly string[] {
  if (send.kind === "emit") return [];
  return [send.kind === "start" ? send.run.id : send.runId];
}

function interestIn({ then }: AdvanceWrite, at: number): Interest | undefined {
  switch (then?.do) {
    case "end":
    case "stick":
      return "ends";
    case "release":
      return "work";
    case "park":
      return then.dueAt !== null && then.dueAt <= at ? "work" : undefined;
    case undefined:
      return undefined;
  }
}
