/** `cancel` and `purge`: what can't be taken back. */
import type { Command } from "commander";
import { type Change, ENDED, LIVE, onlyIn, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeCommand } from "../change/change-command.ts";
import { failureOf } from "../failure.ts";
import type { Frame } from "../frame.ts";
import { parseInstant } from "../human.ts";

interface CancelOptions extends WhoAndWhy {
  readonly compensate: boolean;
}

interface PurgeOptions {
  readonly endedBefore?: string;
}

export function addEnding(program: Command, frame: Frame): void {
  addChangeCommand<CancelOptions>(program, frame, {
    name: "cancel",
    summary: "order runs to be canceled, and what they did to be undone",
    description:
      "Orders runs to be canceled: what they did is undone by a worker that has their code. Done when the order is stored.",
    options: (command) => command.option("--no-compensate", "leave what they did as it is"),
    change: (options) => ({
      name: "cancel",
      done: "ordered to be canceled:",
      destructive: true,
      statuses: LIVE,
      refusal: ({ status }) =>
        LIVE.includes(status) || status === "canceled" ? undefined : `it is ${status}`,
      act: (client, { id }) =>
        client.runs.cancel(id, { ...orderOf(options), compensate: options.compensate }),
    }),
    examples: [
      ["cancel order-42 --because 'a duplicate'", "one run"],
      ["cancel --workflow order --older-than 7d --dry-run", "which ones it would be"],
      ["cancel order-42 --no-compensate --yes", "without undoing anything"],
    ],
  });
  addChangeCommand<PurgeOptions>(program, frame, {
    name: "purge",
    summary: "forget ended runs for good",
    description:
      "Forgets ended runs for good, with all that they called. Their ids stay taken for 90 days. A run is kept as long as it belongs to one that has not ended.",
    options: (command) =>
      command.option("--ended-before <when>", "runs that ended before: an instant, or a duration before now"),
    change: ({ endedBefore }) => ({
      name: "purge",
      done: "purged",
      destructive: true,
      statuses: ENDED,
      narrows: endedBefore !== undefined,
      refusal: purgeRefusal(
        endedBefore === undefined ? undefined : parseInstant(endedBefore, "--ended-before", frame.io.now()),
      ),
      act: async (client, { id }) => {
        try {
          await client.runs.purge(id);
        } catch (error) {
          // It went with the run that called it.
          if (failureOf(error).error.code !== "RUN_NOT_FOUND") throw error;
        }
      },
    }),
    examples: [
      ["purge order-42 --yes", "one run"],
      ["purge --status completed --ended-before 30d --dry-run", "which ones it would be"],
      ["purge --workflow order --ended-before 30d --yes", "for a cron job"],
    ],
  });
}

function purgeRefusal(endedBefore: number | undefined): Change["refusal"] {
  return (run) => {
    const isLater = endedBefore !== undefined && run.endedAt !== null && run.endedAt.getTime() >= endedBefore;
    return isLater ? `it ended at ${run.endedAt.toISOString()}` : onlyIn(ENDED)(run);
  };
}
