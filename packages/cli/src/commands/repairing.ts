/** `retry`, `rewind`, `fork`, `resolve`, `skip`: repairs of what a run has been through. */
import type { Command } from "commander";
import { ALL, type Change, ENDED, LIVE, onlyIn, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeCommand, onOneOrPiped } from "../change/change-command.ts";
import { addChangeOptions, addWhoAndWhy } from "../change/change-options.ts";
import { isMeant } from "../change/confirmation.ts";
import { namedRun } from "../change/named-run.ts";
import type { ChangeOptions } from "../change/run-change.ts";
import { withExamples } from "../examples.ts";
import { EXIT } from "../exit-code.ts";
import { usageError } from "../failure.ts";
import type { Frame, Work } from "../frame.ts";
import { addPathOption, type PathOptions, jsonOf } from "../input/session-json.ts";

export function addRepairing(program: Command, frame: Frame): void {
  addRetry(program, frame);
  addRewind(program, frame);
  addResolve(program, frame);
  addSkip(program, frame);
  addFork(program, frame);
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

// --------------------------------------------------------------------------------------- one step of a run

interface ResolveWords extends WhoAndWhy, PathOptions {
  readonly result?: string;
  readonly error?: string;
  readonly happened: boolean;
  readonly rerun?: boolean;
}

function addResolve(program: Command, frame: Frame): void {
  const command = addStepCommand(program, "resolve")
    .summary("say what became of a step that nobody knows the outcome of")
    .description(
      "Settles a step that has begun and has no outcome, of a run that is stuck, waits or is paused; the run then goes on. Say one of --result, --error and --rerun.",
    )
    .option("--result <json>", "it succeeded with this: JSON, @file, or - for standard input")
    .option("--error <text>", "it failed with this")
    .option("--no-happened", "with --error: it did not happen, so that nothing of it is to be undone")
    .option("--rerun", "it is run again, with the same idempotency key");
  addPathOption(command).action(
    frame.withStore<ResolveWords & ChangeOptions>(
      onOneOrPiped(async ({ options, io }, [step = ""]) => {
        const resolution = await resolutionOf(options, io);
        return stepChange("resolve", "resolved", (client, { id }) =>
          client.runs.resolve(id, step, { ...orderOf(options), ...resolution }),
        );
      }),
    ),
  );
  withExamples(command, [
    [`resolve order-42 charge --result '{ "chargeId": "ch_7" }'`, "found at the bank"],
    ["resolve order-42 charge --error declined --no-happened", "the bank says so: nothing is to be undone"],
    ["resolve order-42 charge --rerun", "the bank knows nothing of it"],
    ["list --step charge --status stuck --ids | everstep resolve - charge --rerun --yes", "many at once"],
  ]);
}

async function resolutionOf(
  options: ResolveWords,
  io: Parameters<typeof jsonOf>[2],
): Promise<{ readonly result: unknown } | { readonly error: Error } | { readonly rerun: true }> {
  const { result, error, rerun, happened } = options;
  const ways = [result, error, rerun].filter((way) => way !== undefined);
  if (ways.length !== 1)
    throw usageError("say what became of the step: one of --result <json>, --error <text> and --rerun");
  if (!happened && error === undefined) throw usageError("--no-happened goes with --error");
  if (result !== undefined) return { result: await jsonOf(result, "--result", io, options) };
  if (error === undefined) return { rerun: true };
  const { FatalError } = await import("@everstep/core");
  return { error: new FatalError(error, happened ? {} : { happened: false }) };
}

function addSkip(program: Command, frame: Frame): void {
  const command = addStepCommand(program, "skip")
    .summary("let a step count as done without running it")
    .description(
      "Lets a step that has begun and has no outcome count as done, with the result undefined; of a run that is being undone, a compensation. The run then goes on.",
    );
  command.action(
    frame.withStore<WhoAndWhy & ChangeOptions>(
      onOneOrPiped(async ({ options }, [step = ""]) =>
        stepChange("skip", "skipped the step of", (client, { id }) =>
          client.runs.skip(id, step, orderOf(options)),
        ),
      ),
    ),
  );
  withExamples(command, [
    ["skip order-42 send-mail --because 'the address does not exist'", "one step"],
    ["skip order-42 charge", "of a run that is being undone: its compensation"],
  ]);
}

function addStepCommand(program: Command, name: string): Command {
  const command = program
    .command(name)
    .argument("<run>", "its id, or the beginning of it; - for ids from standard input")
    .argument("<step>", "the step's key, as `show` names it");
  return addWhoAndWhy(addChangeOptions(command));
}

function stepChange(name: string, done: string, act: Change["act"]): Change {
  return {
    name,
    done,
    statuses: LIVE,
    refusal: ({ status, paused }) => {
      if (!LIVE.includes(status)) return `it is ${status}`;
      return status === "running" && paused === null ? "a worker holds it: pause it first" : undefined;
    },
    act,
  };
}

// --------------------------------------------------------------------------------------- fork

interface ForkOptions extends WhoAndWhy {
  readonly from: string;
  readonly id?: string;
}

/** The new run. */
interface ForkDocument {
  readonly operation: "fork";
  readonly id: string;
  readonly from: { readonly run: string; readonly step: string };
}

function addFork(program: Command, frame: Frame): void {
  const command = program
    .command("fork")
    .summary("make a new run that goes its own way from a step on")
    .description(
      "Makes a new run that has done all that the run did before a step, and goes its own way from there. The run itself is not changed. Both share what was done before.",
    )
    .argument("<run>", "its id, or the beginning of it")
    .requiredOption("--from <step>", "the step at which they part")
    .option("--id <id>", "of the new run; a random one by default");
  addWhoAndWhy(command).action(frame.withStore<ForkOptions>(fork));
  withExamples(command, [
    ["fork order-42 --from charge", "under a random id, which is answered"],
    ["fork order-42 --from charge --id order-42-b", "under this id"],
  ]);
}

const fork: Work<ForkOptions> = async ({ client, out, io, options, args: [text = ""] }) => {
  const { id: run, isGuess } = await namedRun(client, text, { io, yes: false });
  const { from, id } = options;
  if (isGuess && !(await isMeant({ what: `fork run ${run} at ${from}`, details: [] }, { io, yes: false }))) {
    out.note("nothing was changed");
    return EXIT.failed;
  }
  const made = await client.runs.fork(run, {
    ...orderOf(options),
    from,
    ...(id === undefined ? {} : { id }),
  });
  const document: ForkDocument = { operation: "fork", id: made.id, from: { run, step: from } };
  out.show(document, (shown) => `forked ${shown.from.run} at ${shown.from.step}: ${shown.id}\n`);
  return EXIT.done;
};
