/** `fork`: new runs that have done what others did. */
import type { Command } from "commander";
import { ALL, type Change, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeOptions, addTargets, addWhoAndWhy } from "../change/change-options.ts";
import { isMeant } from "../change/confirmation.ts";
import { namedRun } from "../change/named-run.ts";
import { type ChangeOptions, runChange } from "../change/run-change.ts";
import { isSeveral } from "../change/run-part.ts";
import { withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { usageError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";

interface ForkOptions extends ChangeOptions, WhoAndWhy {
  readonly from: string;
  readonly id?: string;
  readonly suffix?: string;
}

/** The new run, where one was forked. */
interface ForkDocument {
  readonly operation: "fork";
  readonly id: string;
  readonly from: { readonly run: string; readonly step: string };
}

export function addForking(program: Command, frame: Frame): void {
  const command = program
    .command("fork")
    .summary("make new runs that go their own way from a step on")
    .description(
      "Makes a new run that has done all that a run did before a step, and goes its own way from there. The run itself is not changed. Both share what was done before.",
    );
  addTargets(command)
    .requiredOption("--from <step>", "the step at which they part")
    .option("--id <id>", "of the new run; a random one by default")
    .option("--suffix <text>", "of several: each new run's id is that of its run, and this");
  addWhoAndWhy(addChangeOptions(command)).action(frame.withStore<ForkOptions>(fork));
  withExamples(command, [
    ["fork order-42 --from charge", "under a random id, which is answered"],
    ["fork order-42 --from charge --id order-42-b", "under this id"],
    ["fork --status failed --workflow order --from charge --suffix=-b --yes", "several: order-42-b, …"],
  ]);
}

async function fork(session: Session<ForkOptions>): Promise<ExitCode> {
  const { args, options } = session;
  const { id, suffix, dryRun } = options;
  if (id !== undefined && suffix !== undefined)
    throw usageError("--id and --suffix say the same: give one of them");
  const several = isSeveral(args);
  // So that the same command again forks nothing twice.
  if (several && suffix === undefined)
    throw usageError(
      "several runs are forked with --suffix <text>: each new id is that of its run, and this",
    );
  return several || dryRun === true ? runChange(session, args, forkChange(options)) : forkOne(session);
}

function forkChange(options: ForkOptions): Change {
  const { from, suffix, id } = options;
  return {
    name: "fork",
    done: "forked",
    statuses: ALL,
    says: `at step ${from}; each new run's id ends in ${suffix ?? ""}`,
    refusal: () => undefined,
    act: async (client, run) => {
      await client.runs.fork(run.id, {
        ...orderOf(options),
        from,
        ...newId(run.id, { id, suffix }),
      });
    },
  };
}

function newId(
  run: string,
  { id, suffix }: { readonly id: string | undefined; readonly suffix: string | undefined },
): { readonly id?: string } {
  if (suffix !== undefined) return { id: run + suffix };
  return id === undefined ? {} : { id };
}

async function forkOne({
  client,
  out,
  io,
  options,
  args: [text = ""],
}: Session<ForkOptions>): Promise<ExitCode> {
  const { from, id, suffix, yes } = options;
  const { id: run, isGuess } = await namedRun(client, text, { io, yes: yes === true });
  if (isGuess && !(await isMeant({ what: `fork run ${run} at ${from}`, details: [] }, { io, yes: false }))) {
    out.note("nothing was changed");
    return EXIT.failed;
  }
  const made = await client.runs.fork(run, { ...orderOf(options), from, ...newId(run, { id, suffix }) });
  const document: ForkDocument = { operation: "fork", id: made.id, from: { run, step: from } };
  out.show(document, (shown) => `forked ${shown.from.run} at ${shown.from.step}: ${shown.id}\n`);
  return EXIT.done;
}
