/** `resume` and `pause`: of runs, and of whole workflows. */
import type { Client, RunSummary } from "@everstep/core";
import type { Command } from "commander";
import { ALL, type Change, LIVE, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeOptions, addTargets, addWhoAndWhy } from "../change/change-options.ts";
import { isMeant } from "../change/confirmation.ts";
import { type ChangeOptions, runChange } from "../change/run-change.ts";
import { type Example, withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { CommandError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";

type Options = ChangeOptions & WhoAndWhy;
type Operation = "resume" | "pause";

export function addPausing(program: Command, frame: Frame): void {
  add(program, frame, {
    operation: "resume",
    summary: "let stuck or paused runs go on where they were",
    description:
      "Lets stuck or paused runs go on where they were; used-up retries begin anew. With --workflow and no other filter: ends the pause of the whole workflow.",
    examples: [
      ["resume order-42 --because 'the bank is back'", "one run"],
      ["resume --status stuck --workflow order --dry-run", "which ones it would be"],
      ["list --failed-with ECONNREFUSED --ids | everstep resume - --yes", "those that another command found"],
      ["resume --workflow order", "end the pause of a whole workflow"],
    ],
  });
  add(program, frame, {
    operation: "pause",
    summary: "let no worker take runs on until they are resumed",
    description:
      "Lets no worker take the runs on until they are resumed; what executes now is awaited. With --workflow and no other filter: pauses the whole workflow, its runs of all versions, now and to come.",
    examples: [
      ["pause order-42 --because 'a wrong price'", "one run"],
      ["pause --tag customer=ada --yes", "all runs of a customer"],
      ["pause --workflow order --because 'price list is wrong'", "a whole workflow"],
    ],
  });
}

function add(
  program: Command,
  frame: Frame,
  {
    operation,
    summary,
    description,
    examples,
  }: {
    readonly operation: Operation;
    readonly summary: string;
    readonly description: string;
    readonly examples: readonly Example[];
  },
): void {
  const command = program.command(operation).summary(summary).description(description);
  addWhoAndWhy(addChangeOptions(addTargets(command))).action(
    frame.withStore<Options>((session) => {
      const workflow = wholeWorkflow(session);
      return workflow === undefined
        ? runChange(session, session.args, changeOf(operation, session.options))
        : operateWorkflow(session, operation, workflow);
    }),
  );
  withExamples(command, examples);
}

function changeOf(operation: Operation, options: Options): Change {
  const order = orderOf(options);
  return operation === "resume"
    ? {
        name: "resume",
        done: "resumed",
        statuses: LIVE,
        refusal: ({ status, paused }) =>
          status === "stuck" || paused !== null ? undefined : `it is ${status}, neither stuck nor paused`,
        act: (client, { id }) => client.runs.resume(id, order),
      }
    : {
        name: "pause",
        done: "paused",
        statuses: LIVE,
        refusal: pauseRefusal,
        act: (client, { id }) => client.runs.pause(id, order),
      };
}

function pauseRefusal({ status }: RunSummary): string | undefined {
  if (status === "stuck") return "it is stuck: it does nothing by itself";
  return LIVE.includes(status) ? undefined : `it is ${status}`;
}

/** Its name, where nothing else says which runs are meant. */
function wholeWorkflow({ args, options }: Session<Options>): string | undefined {
  const { workflow, all, limit, status, runVersion, tag, parent, paused } = options;
  const { since, until, olderThan, step, failedWith } = options;
  const others = [
    all,
    limit,
    status,
    runVersion,
    tag,
    parent,
    paused,
    since,
    until,
    olderThan,
    step,
    failedWith,
  ];
  return args.length === 0 && others.every((other) => other === undefined) ? workflow : undefined;
}

/** What was done to a workflow, or with `dryRun` would be. */
interface WorkflowDocument {
  readonly operation: Operation;
  readonly workflow: string;
  readonly dryRun: boolean;
  /** Runs of it that have not ended. */
  readonly live: number;
}

async function operateWorkflow(
  { client, out, io, options }: Session<Options>,
  operation: Operation,
  workflow: string,
): Promise<ExitCode> {
  await checkWorkflow(client, operation, workflow);
  const live = await client.runs.count({ workflow, status: LIVE });
  const dryRun = options.dryRun === true;
  const document: WorkflowDocument = { operation, workflow, dryRun, live };
  if (!dryRun) {
    const what = `${operation} workflow ${workflow} as a whole`;
    const details = [`${live} of its runs have not ended; the same goes for those that are started later`];
    if (!(await isMeant({ what, details }, { io, yes: options.yes === true }))) {
      out.note("nothing was changed");
      return EXIT.failed;
    }
    if (operation === "pause") await client.workflows.pause(workflow, orderOf(options));
    else await client.workflows.resume(workflow);
  }
  out.show(document, (shown) => `${workflowText(shown)}\n`);
  return EXIT.done;
}

function workflowText({ operation, workflow, dryRun, live }: WorkflowDocument): string {
  const what = dryRun ? `would ${operation}` : operation === "pause" ? "paused" : "resumed";
  return `${what} workflow ${workflow} as a whole (${live} of its runs have not ended)${dryRun ? "; nothing was changed" : ""}`;
}

/** A misspelt name would pause what nobody has. One that is not paused was probably meant as a filter. */
async function checkWorkflow(client: Client, operation: Operation, workflow: string): Promise<void> {
  const known = (await client.workflows.list()).filter(({ name }) => name === workflow);
  if (known.length === 0 && (await client.runs.count({ workflow, status: ALL })) === 0)
    throw new CommandError(
      "WORKFLOW_NOT_FOUND",
      `no worker ever had a workflow ${workflow}, and no run is one of it`,
      EXIT.notFound,
    );
  // Of a workflow that only runs have, nobody can tell whether it is paused.
  if (operation === "resume" && known.length > 0 && known.every(({ paused }) => paused === null))
    throw new CommandError(
      "WORKFLOW_STATE",
      `workflow ${workflow} is not paused as a whole; for its stuck runs say --status stuck as well, for those that are paused by themselves --paused`,
    );
}
