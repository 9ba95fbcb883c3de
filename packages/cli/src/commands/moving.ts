/** `move`: runs to another version of their workflow, whose code is needed for it. */
import type { Workflow } from "@everstep/core";
import type { Command } from "commander";
import { type Change, LIVE, orderOf, type WhoAndWhy } from "../change/change.ts";
import { addChangeOptions, addTargets, addWhoAndWhy } from "../change/change-options.ts";
import { type ChangeOptions, runChange } from "../change/run-change.ts";
import { withExamples } from "../examples.ts";
import { CommandError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";
import { loadWorkflows } from "../input/workflows-module.ts";
import { clientFor } from "../store/client-for.ts";

interface Options extends ChangeOptions, WhoAndWhy {
  readonly workflows: string;
  readonly to?: string;
  readonly resume?: boolean;
}

export function addMoving(program: Command, frame: Frame): void {
  const command = program
    .command("move")
    .summary("move runs to another version of their workflow, if their journals fit it")
    .description(
      "Moves runs to another version of their workflow. Each journal is replayed with the new code first, without calling any body: a run that would diverge is refused with the place, and left as it is.",
    );
  addTargets(command)
    .requiredOption("--workflows <module>", "the module that exports the new version")
    .option("--to <version>", "the version; by default the one that the module has")
    .option("--resume", "a stuck run goes on at once");
  addWhoAndWhy(addChangeOptions(command)).action(frame.withStore<Options>(move));
  withExamples(command, [
    ["move order-42 --workflows ./workflows.ts --because 'version 3 is gone'", "one run"],
    ["move --workflow order --run-version 3 --workflows ./workflows.ts --resume --yes", "all of a version"],
  ]);
}

async function move(session: Session<Options>): ReturnType<typeof runChange> {
  const { options, io } = session;
  const module = await loadWorkflows(options.workflows, io.cwd);
  const client = await clientFor(session, module);
  return runChange({ ...session, client }, session.args, moveChange(module.workflows, options));
}

function moveChange(workflows: readonly Workflow[], options: Options): Change {
  return {
    name: "move",
    done: "moved",
    statuses: LIVE,
    refusal: ({ workflow, version, status }) => {
      if (!LIVE.includes(status)) return `it is ${status}`;
      if (status === "running") return "a worker holds it: pause it first";
      const to = candidates(workflows, workflow, options.to);
      if (to.length === 0) return `the module has no such version of workflow ${workflow}`;
      return to.every((one) => one.version === version)
        ? `it is one of version ${version} already`
        : undefined;
    },
    act: async (client, { id, workflow }) => {
      const to = definitionFor(workflows, workflow, options.to);
      await client.runs.move(id, { ...orderOf(options), to, resume: options.resume === true });
    },
  };
}

function candidates(
  workflows: readonly Workflow[],
  name: string,
  version: string | undefined,
): readonly Workflow[] {
  return workflows.filter((one) => one.name === name && (version === undefined || one.version === version));
}

function definitionFor(workflows: readonly Workflow[], name: string, version: string | undefined): Workflow {
  const [first, second] = candidates(workflows, name, version);
  if (first === undefined)
    throw new CommandError(
      "WORKFLOW_NOT_FOUND",
      `the module has no workflow ${name}${version === undefined ? "" : ` of version ${version}`}`,
    );
  if (second !== undefined)
    throw new CommandError(
      "VERSION_AMBIGUOUS",
      `the module has several versions of workflow ${name}: say which with --to`,
    );
  return first;
}
