/** `start` and `emit`: what a program would send, sent by a person. Inputs are validated by whoever has the workflow's code. */
import type { Client } from "@everstep/core";
import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import { EXIT } from "../exit-code.ts";
import { CommandError, usageError } from "../failure.ts";
import type { Frame, Work } from "../frame.ts";
import { parseDuration } from "../human.ts";
import { addPathOption, type PathOptions, jsonOf } from "../input/session-json.ts";
import { plural } from "../render/plural.ts";
import { collect, tagsOf } from "../run-selection.ts";
import { addSignaling } from "./signaling.ts";

export function addSending(program: Command, frame: Frame): void {
  addStart(program, frame);
  addSignaling(program, frame);
  addEmit(program, frame);
}

// --------------------------------------------------------------------------------------- start

interface StartOptions extends PathOptions {
  readonly id?: string;
  readonly delay?: string;
  readonly tag?: readonly string[];
  readonly priority?: string;
  readonly unseen?: boolean;
  readonly dryRun?: boolean;
}

interface StartDocument {
  readonly operation: "start";
  readonly id: string;
  readonly workflow: string;
}

/** With `--dry-run`: what would be started. */
interface StartPlan {
  readonly operation: "start";
  readonly dryRun: true;
  /** Null: a random one. */
  readonly id: string | null;
  readonly workflow: string;
  /** Null: no worker has told of one yet. */
  readonly version: string | null;
  /** A run has the id already: with an equal input nothing is started, with another one it is refused. */
  readonly taken: boolean;
}

function addStart(program: Command, frame: Frame): void {
  const command = program
    .command("start")
    .summary("start a run of a workflow")
    .description(
      "Starts a run, in the version that workers told the store of last. The same id with an equal input is the same run.",
    )
    .argument("<workflow>", "its name")
    .argument("[input]", "JSON, @file, or - for standard input")
    .option("--id <id>", "of the run, such as that of an order; a random one by default")
    .option("--delay <duration>", "not to be executed before this long from now")
    .option("--tag <name=value>", "can be given several times", collect)
    .option("--priority <number>", "higher is claimed first; by default the workflow's own")
    .option("--unseen", "also of a workflow that no worker has had yet")
    .option("--dry-run", "say what would be started, and start nothing");
  addPathOption(command).action(frame.withStore<StartOptions>(start));
  withExamples(command, [
    [`start order '{ "orderId": "42" }' --id order-42`, "a run of an order"],
    ["start report @input.json --delay 2h --tag by=ada", "later, with its input from a file"],
  ]);
}

const start: Work<StartOptions> = async ({ client, out, io, options, args }) => {
  const [workflow = "", text] = args;
  const { id, delay, tag, priority, unseen } = options;
  const input = text === undefined ? undefined : await jsonOf(text, "the input", io, options);
  const how = {
    ...(id === undefined ? {} : { id }),
    ...(delay === undefined ? {} : { delay: parseDuration(delay, "--delay") }),
    ...(tag === undefined ? {} : { tags: tagsOf(tag) }),
    ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
  };
  if (unseen !== true) await checkSeen(client, workflow);
  if (options.dryRun === true) {
    out.show(await startPlan(client, workflow, id), startPlanText);
    return;
  }
  const run = await client.start(workflow, input, how);
  const document: StartDocument = { operation: "start", id: run.id, workflow };
  out.show(document, (shown) => `started ${shown.id}\n`);
};

async function startPlan(client: Client, workflow: string, id: string | undefined): Promise<StartPlan> {
  const workflows = await client.workflows.list();
  const current = workflows.find((one) => one.name === workflow && one.current);
  const taken = id !== undefined && (await client.runs.list({ ids: [id], limit: 1 })).runs.length > 0;
  const version = current?.version ?? null;
  return { operation: "start", dryRun: true, id: id ?? null, workflow, version, taken };
}

function startPlanText({ id, workflow, version, taken }: StartPlan): string {
  if (taken) return `would start nothing: there is a run ${id}; nothing was changed\n`;
  const run = id === null ? "a run" : `run ${id}`;
  return `would start ${run} of ${workflow}${version === null ? "" : `@${version}`}; nothing was changed\n`;
}

/** Nobody would ever execute a run of a misspelt workflow. */
async function checkSeen(client: Client, workflow: string): Promise<void> {
  const seen = new Set((await client.workflows.list()).map(({ name }) => name));
  if (seen.has(workflow)) return;
  const others = seen.size === 0 ? "none at all" : [...seen].toSorted().join(", ");
  throw new CommandError(
    "WORKFLOW_NOT_FOUND",
    `no worker ever had a workflow ${workflow}; workers have ${others}. Nothing was started; say --unseen if its first worker is yet to come`,
    EXIT.notFound,
  );
}

function priorityOf(text: string): number {
  if (!/^-?\d{1,9}$/.test(text))
    throw usageError(`--priority is a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

// --------------------------------------------------------------------------------------- emit

interface EmitDocument {
  readonly operation: "emit";
  readonly event: string;
  /** Ids of the runs that it started, now or when it was emitted before. */
  readonly runs: readonly string[];
}

/** With `--dry-run`: what would be started, unless the event was emitted before. */
interface EmitPlan {
  readonly operation: "emit";
  readonly dryRun: true;
  readonly event: string;
  readonly workflows: readonly { readonly name: string; readonly version: string }[];
}

interface EmitOptions extends PathOptions {
  readonly id?: string;
  readonly dryRun?: boolean;
}

function addEmit(program: Command, frame: Frame): void {
  const command = program
    .command("emit")
    .summary("emit an event: it starts a run of each workflow that listens")
    .description(
      "Emits an event: it starts one run of every workflow that listens to it, also of those whose workers are down. The same name and id is the same event.",
    )
    .argument("<event>", "its name")
    .argument("[payload]", "JSON, @file, or - for standard input")
    .option("--id <id>", "of the event; a random one by default")
    .option("--dry-run", "say which workflows listen, and emit nothing");
  addPathOption(command).action(frame.withStore<EmitOptions>(emit));
  withExamples(command, [
    [`emit order:completed '{ "orderId": "42" }' --id 42`, "once, however often it is emitted"],
    ["emit nightly", "without a payload"],
  ]);
}

const emit: Work<EmitOptions> = async ({ client, out, io, options, args }) => {
  const [event = "", text] = args;
  const payload = text === undefined ? undefined : await jsonOf(text, "the payload", io, options);
  if (options.dryRun === true) {
    const listeners = (await client.workflows.list()).filter(({ on, current }) => on === event && current);
    const workflows = listeners.map(({ name, version }) => ({ name, version }));
    const plan: EmitPlan = { operation: "emit", dryRun: true, event, workflows };
    out.show(plan, emitPlanText);
    return;
  }
  const { runs } = await client.emit(event, payload, options.id === undefined ? {} : { id: options.id });
  const document: EmitDocument = { operation: "emit", event, runs };
  out.show(document, (shown) => {
    if (shown.runs.length === 0) return `emitted ${shown.event}: no workflow listens to it\n`;
    return `emitted ${shown.event}: ${plural(shown.runs.length, "run")}\n${shown.runs.map((id) => `${id}\n`).join("")}`;
  });
};

function emitPlanText({ event, workflows }: EmitPlan): string {
  if (workflows.length === 0) return `no workflow listens to ${event}; nothing was changed\n`;
  const list = workflows.map(({ name, version }) => `${name}@${version}\n`).join("");
  return `would start a run of each of these, unless it was emitted before; nothing was changed\n${list}`;
}
