/** `cancel` and `purge`: what can't be taken back. */
import type { Command } from "commander";
import { ENDED, LIVE, onlyIn, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeCommand } from "../change/change-command.ts";
import { failureOf } from "../failure.ts";
import type { Frame } from "../frame.ts";

interface CancelOptions extends WhoAndWhy {
  readonly compensate: boolean;
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
      refusal: onlyIn([...LIVE, "canceled"]),
      act: (client, { id }) =>
        client.runs.cancel(id, { ...orderOf(options), compensate: options.compensate }),
    }),
    examples: [
      ["cancel order-42 --because 'a duplicate'", "one run"],
      ["cancel --workflow order --older-than 7d --dry-run", "which ones it would be"],
      ["cancel order-42 --no-compensate --yes", "without undoing anything"],
    ],
  });
  addChangeCommand(program, frame, {
    name: "purge",
    summary: "forget ended runs for good",
    description:
      "Forgets ended runs for good, with all that they called. Their ids stay taken for 90 days. A run is kept as long as it belongs to one that has not ended.",
    change: () => ({
      name: "purge",
      done: "purged",
      destructive: true,
      statuses: ENDED,
      refusal: onlyIn(ENDED),
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
      ["purge --status completed --older-than 30d --dry-run", "which ones it would be"],
      ["purge --workflow order --older-than 30d --yes", "for a cron job"],
    ],
  });
}
