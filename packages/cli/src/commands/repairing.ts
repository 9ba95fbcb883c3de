/** `retry` and `rewind`: runs go back, and do again what is to be done again. */
import { bareUndos, DecodingError, type RunSummary, type Store } from "@everstep/core";
import type { Command } from "commander";
import { ALL, ENDED, onlyIn, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeCommand } from "../change/change-command.ts";
import type { Frame } from "../frame.ts";

export function addRepairing(program: Command, frame: Frame): void {
  addRetry(program, frame);
  addRewind(program, frame);
}

function addRetry(program: Command, frame: Frame): void {
  addChangeCommand<WhoAndWhy & { readonly from?: string }>(program, frame, {
    name: "retry",
    summary: "let failed or canceled runs go on from the step that failed",
    description:
      "Lets failed or canceled runs go on from the step that failed. What succeeded and was not undone is not done again.",
    options: (command) => command.option("--from <step>", "from this step, also if it succeeded"),
    change: (options) => ({
      name: "retry",
      done: "retried",
      statuses: ["failed", "canceled"],
      refusal: onlyIn(["failed", "canceled"]),
      refusalWithin: notRetried,
      act: (client, { id }) =>
        client.runs.retry(id, {
          ...orderOf(options),
          ...(options.from === undefined ? {} : { from: options.from }),
        }),
    }),
    examples: [
      ["retry order-42 --because 'the bank is back'", "one run"],
      ["retry --status failed --workflow order --since 1h --yes", "all orders that failed in the last hour"],
      ["retry order-42 --from reserve-stock", "from an earlier step"],
    ],
  });
}

async function notRetried(store: Store, { id, error }: RunSummary): Promise<string | undefined> {
  if (error instanceof DecodingError) return error.message;
  const undone = bareUndos((await store.read(id))?.journal ?? []);
  return undone.length === 0
    ? undefined
    : `${undone.join(", ")} was undone, and nobody knows which steps that took back: rewind it to a step`;
}

function addRewind(program: Command, frame: Frame): void {
  addChangeCommand<WhoAndWhy & { readonly to: string }>(program, frame, {
    name: "rewind",
    summary: "take runs back to before a step, and do all again from there",
    description:
      "Takes runs that have ended, are stuck or are paused back to before a step: that step and all that came after it is done again, under new idempotency keys. Nothing is undone.",
    options: (command) => command.requiredOption("--to <step>", "the step, as `show` names it"),
    change: (options) => ({
      name: "rewind",
      done: "rewound",
      destructive: true,
      statuses: ALL,
      refusal: ({ status, paused }) =>
        status === "stuck" || paused !== null || ENDED.includes(status)
          ? undefined
          : `it is ${status}: it must have ended, be stuck or be paused`,
      act: (client, { id }) => client.runs.rewind(id, { ...orderOf(options), to: options.to }),
    }),
    examples: [
      ["rewind order-42 --to reserve-stock --yes", "do it again from there"],
      ["rewind --workflow order --since 2h --to send-mail --dry-run", "which ones it would be"],
    ],
  });
}
