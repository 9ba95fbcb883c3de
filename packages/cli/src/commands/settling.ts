/** `resolve` and `skip`: a step of a run comes to an outcome that a person gives it. */
import type { Command } from "commander";
import { type Change, LIVE, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeOptions, addWhoAndWhy } from "../change/change-options.ts";
import { type ChangeOptions, runChange } from "../change/run-change.ts";
import { addPartTargets, partWords, type RunPart } from "../change/run-part.ts";
import { type Example, withExamples } from "../examples.ts";
import type { ExitCode } from "../exit-code.ts";
import { usageError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";
import { addPathOption, jsonBeside, type PathOptions } from "../input/session-json.ts";

interface ResolveOptions extends ChangeOptions, WhoAndWhy, PathOptions {
  readonly result?: string;
  readonly error?: string;
  readonly happened: boolean;
  readonly rerun?: boolean;
}

const STEP: RunPart = { option: "--step", noun: "step" };

export function addSettling(program: Command, frame: Frame): void {
  addResolve(program, frame);
  addSkip(program, frame);
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
  addPathOption(command).action(frame.withStore<ResolveOptions>(resolve));
  withExamples(command, [
    [`resolve order-42 charge --result '{ "chargeId": "ch_7" }'`, "found at the bank"],
    ["resolve order-42 charge --error declined --no-happened", "the bank says so: nothing is to be undone"],
    ["resolve order-42 charge --rerun", "the bank knows nothing of it"],
    ["resolve --step charge --status stuck --workflow order --rerun --dry-run", "which ones it would be"],
    ["list --step charge --status stuck --ids | everstep resolve - --step charge --rerun --yes", "many"],
  ]);
}

async function resolve(session: Session<ResolveOptions>): Promise<ExitCode> {
  const { options, io, args } = session;
  const { ids, part } = partWords(args, options.step, STEP);
  const { result, error, rerun, happened } = options;
  const ways = [result, error, rerun].filter((way) => way !== undefined);
  if (ways.length !== 1)
    throw usageError("say what became of the step: one of --result <json>, --error <text> and --rerun");
  if (!happened && error === undefined) throw usageError("--no-happened goes with --error");
  if (result !== undefined) {
    const value = await jsonBeside(ids, { text: result, what: "--result", io, options });
    return settle(session, ids, {
      ...stepChange("resolve", "resolved", `step ${part} counts as done, with the result that you gave`),
      act: (client, { id }) => client.runs.resolve(id, part, { ...orderOf(options), result: value }),
    });
  }
  if (error === undefined)
    return settle(session, ids, {
      ...stepChange("resolve", "resolved", `step ${part} is run again`),
      act: (client, { id }) => client.runs.resolve(id, part, { ...orderOf(options), rerun: true }),
    });
  const { FatalError } = await import("@everstep/core");
  return settle(session, ids, {
    ...stepChange("resolve", "resolved", `step ${part} fails with: ${error}`),
    act: (client, { id }) => {
      const failure = new FatalError(error, happened ? {} : { happened: false });
      return client.runs.resolve(id, part, { ...orderOf(options), error: failure });
    },
  });
}

function addSkip(program: Command, frame: Frame): void {
  const command = addStepCommand(program, "skip")
    .summary("let a step count as done without running it")
    .description(
      "Lets a step that has begun and has no outcome count as done, with the result undefined; of a run that is being undone, a compensation. The run then goes on.",
    );
  command.action(
    frame.withStore<ChangeOptions & WhoAndWhy>((session) => {
      const { options, args } = session;
      const { ids, part } = partWords(args, options.step, STEP);
      return settle(session, ids, {
        ...stepChange("skip", "skipped the step of", `step ${part} counts as done`),
        act: (client, { id }) => client.runs.skip(id, part, orderOf(options)),
      });
    }),
  );
  const examples: readonly Example[] = [
    ["skip order-42 send-mail --because 'the address does not exist'", "one step"],
    ["skip order-42 charge", "of a run that is being undone: its compensation"],
    ["skip order-42 order-43 --step send-mail --yes", "of several runs"],
  ];
  withExamples(command, examples);
}

function addStepCommand(program: Command, name: string): Command {
  const command = addPartTargets(
    program.command(name),
    STEP,
    "the step, of several runs; without ids, of those that are at it",
  );
  return addWhoAndWhy(addChangeOptions(command));
}

/** Where ids say which runs are meant, `--step` is no filter. */
function settle(session: Session<ChangeOptions>, ids: readonly string[], change: Change): Promise<ExitCode> {
  const { step: _step, ...options } = session.options;
  return runChange(ids.length === 0 ? session : { ...session, options }, ids, change);
}

function stepChange(name: string, done: string, says: string): Omit<Change, "act"> {
  return {
    name,
    done,
    says,
    statuses: LIVE,
    refusal: ({ status, paused }) => {
      if (!LIVE.includes(status)) return `it is ${status}`;
      return status === "running" && paused === null ? "a worker holds it: pause it first" : undefined;
    },
  };
}
