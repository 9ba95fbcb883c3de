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
}

interface StartDocument {
  readonly operation: "start";
  readonly id: string;
  readonly workflow: string;
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
    .option("--unseen", "also of a workflow that no worker has had yet");
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
  if (unseen !== true) await checkSeen(client, workflow);
  const run = await client.start(workflow, input, {
    ...(id === undefined ? {} : { id }),
    ...(delay === undefined ? {} : { delay: parseDuration(delay, "--delay") }),
    ...(tag === undefined ? {} : { tags: tagsOf(tag) }),
    ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
  });
  const document: StartDocument = { operation: "start", id: run.id, workflow };
  out.show(document, (shown) => `started ${shown.id}\n`);
};

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

function addEmit(program: Command, frame: Frame): void {
  const command = program
    .command("emit")
    .summary("emit an event: it starts a run of each workflow that listens")
    .description(
      "Emits an event: it starts one run of every workflow that listens to it, also of those whose workers are down. The same name and id is the same event.",
    )
    .argument("<event>", "its name")
    .argument("[payload]", "JSON, @file, or - for standard input")
    .option("--id <id>", "of the event; a random one by default");
  addPathOption(command).action(frame.withStore<PathOptions & { readonly id?: string }>(emit));
  withExamples(command, [
    [`emit order:completed '{ "orderId": "42" }' --id 42`, "once, however often it is emitted"],
    ["emit nightly", "without a payload"],
  ]);
}

const emit: Work<PathOptions & { readonly id?: string }> = async ({ client, out, io, options, args }) => {
  const [event = "", text] = args;
  const payload = text === undefined ? undefined : await jsonOf(text, "the payload", io, options);
  const { runs } = await client.emit(event, payload, options.id === undefined ? {} : { id: options.id });
  const document: EmitDocument = { operation: "emit", event, runs };
  out.show(document, (shown) => {
    if (shown.runs.length === 0) return `emitted ${shown.event}: no workflow listens to it\n`;
    return `emitted ${shown.event}: ${plural(shown.runs.length, "run")}\n${shown.runs.map((id) => `${id}\n`).join("")}`;
  });
};
