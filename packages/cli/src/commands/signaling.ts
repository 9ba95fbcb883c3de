/** `signal`: what runs wait for, sent by a person. */
import type { Command } from "commander";
import { type Change, LIVE, onlyIn } from "../change/change.ts";
import { addChangeOptions } from "../change/change-options.ts";
import { type ChangeOptions, runChange } from "../change/run-change.ts";
import { addPartTargets, isSeveral, partWords, type RunPart } from "../change/run-part.ts";
import { withExamples } from "../examples.ts";
import type { ExitCode } from "../exit-code.ts";
import { usageError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";
import { addPathOption, jsonBeside, type PathOptions } from "../input/session-json.ts";

interface SignalOptions extends ChangeOptions, PathOptions {
  readonly name?: string;
  readonly payload?: string;
  readonly id?: string;
}

const SIGNAL: RunPart = { option: "--name", noun: "name", more: "[payload]" };

export function addSignaling(program: Command, frame: Frame): void {
  const command = addPartTargets(program.command("signal"), SIGNAL)
    .summary("send a signal to runs")
    .description(
      "Sends a signal to a run: it reaches the next wait for that name, also one that comes later. Refused when the run has ended.",
    )
    .option("--name <name>", "of several runs: the signal's name")
    .option("--payload <json>", "of several runs: JSON, @file, or - for standard input")
    .option("--id <id>", "of the signal: one with the same id is the same signal, and reaches a run once");
  addPathOption(addChangeOptions(command)).action(frame.withStore<SignalOptions>(signal));
  withExamples(command, [
    [`signal order-42 approval '{ "by": "ada" }'`, "what the run waits for"],
    ["signal order-42 paid @event.json --id evt_7", "once, however often it is sent"],
    ["signal --name go --step go --workflow order --id monday --yes", "to all orders that wait for it"],
  ]);
}

async function signal(session: Session<SignalOptions>): Promise<ExitCode> {
  const { args, options, io } = session;
  const { ids, part: name, more } = partWords(args, options.name, SIGNAL);
  if (more !== undefined && options.payload !== undefined)
    throw usageError("the payload is given twice: as a word, and as --payload");
  // So that the same command again sends it to nobody twice.
  if (isSeveral(ids) && options.id === undefined)
    throw usageError(
      "a signal to several runs needs an --id, so that the same command again reaches none twice",
    );
  const text = more ?? options.payload;
  const payload =
    text === undefined ? undefined : await jsonBeside(ids, { text, what: "the payload", io, options });
  return runChange(session, ids, signalChange(name, payload, options.id));
}

function signalChange(name: string, payload: unknown, id: string | undefined): Change {
  return {
    name: "signal",
    done: `sent ${name} to`,
    says: `the signal is ${name}`,
    statuses: LIVE,
    refusal: onlyIn(LIVE),
    act: (client, run) => client.get(run.id).signal(name, payload, id === undefined ? {} : { id }),
  };
}
