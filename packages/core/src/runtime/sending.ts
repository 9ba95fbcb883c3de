/** What the code sends out, made ready when it is asked for: whatever the code does to the input later changes nothing. */
import type { CallOptions, StartChildOptions } from "../context.ts";
import type { MakeSend } from "../engine/asks.ts";
import { childId, messageId } from "./ids.ts";
import {
  EventConflictError,
  InvalidArgumentError,
  RunConflictError,
  RunEndedError,
  RunNotFoundError,
  StoreError,
  ValidationError,
} from "../errors.ts";
import { checkAskName, checkName, checkRunId } from "../engine/names.ts";
import { textToValue, valueToText, valuesOf } from "../engine/values.ts";
import type { Workflow } from "../definition.ts";
import type { Activation } from "./activation.ts";
import { checkSize } from "./limits.ts";
import { newEvent } from "./new-event.ts";
import { newRun } from "./new-run.ts";
import { validate } from "./validate.ts";

/** An ask that sends something out: how it is made, and what its refusal means to the code. */
export interface Sending {
  readonly send: MakeSend;
  /** `id`: that of the run, event or message. */
  readonly refusal: (reason: string, id: string) => Error;
}

type Work<T> = () => T;

/** Another run: a child that is waited for, or a detached one. */
export function sendStart(
  run: Activation,
  workflow: Workflow | string,
  input: unknown,
  options: (CallOptions & StartChildOptions) | StartChildOptions,
  awaited: boolean,
): Sending {
  const name = typeof workflow === "string" ? workflow : workflow.name;
  checkName("workflow", name);
  if (options.id !== undefined) checkRunId(options.id);
  if (awaited && options.id === run.runId)
    throw new InvalidArgumentError(
      `run ${run.runId} can't call itself: it would wait for its own end for ever`,
    );
  const { codec, maxPayloadBytes } = run.host;
  const copy = kept(() => validInput(run, workflow, input), `run ${run.runId}: the input of ${name}`);
  return {
    send: ({ key, identity, suffix, seq }) => {
      const id = options.id ?? childId(run.runId, identity, suffix);
      const child = newRun({ id, workflow, input: copy(), options, codec, maxPayloadBytes });
      return { value: id, send: { kind: "start", seq, run: child, key, awaited } };
    },
    refusal: (reason, id) => {
      const [word, ...rest] = reason.split(" ");
      return word === "conflict" ? new RunConflictError(id, rest.join(" ")) : refused(`run ${id}`, reason);
    },
  };
}

/** A schema that validates asynchronously would give the run's code back at a time that no replay repeats. */
function validInput(run: Activation, workflow: Workflow | string, input: unknown): unknown {
  if (typeof workflow === "string") return input;
  const what = `run ${run.runId}: the input of workflow ${workflow.name}`;
  const valid = validate(workflow.options.input, input, what);
  if (!(valid instanceof Promise)) return valid;
  valid.catch(() => {});
  throw new ValidationError(what, [
    {
      message: "its schema validates asynchronously: validate in a step, and call the workflow by its name",
      path: "",
    },
  ]);
}

export function sendEvent(
  run: Activation,
  name: string,
  payload: unknown,
  eventId: string | undefined,
): Sending {
  checkName("event", name);
  if (eventId !== undefined) checkName("event id", eventId);
  const { codec, maxPayloadBytes } = run.host;
  const copy = kept(() => payload, `run ${run.runId}: the payload of event ${name}`);
  return {
    send: ({ identity, suffix, seq }) => {
      const id = eventId ?? messageId(run.runId, identity, suffix);
      return {
        value: id,
        send: { kind: "emit", seq, event: newEvent({ name, id, payload: copy(), codec, maxPayloadBytes }) },
      };
    },
    refusal: (reason, id) =>
      reason.startsWith("conflict") ? new EventConflictError(name, id) : refused(`event ${name}`, reason),
  };
}

export function sendSignal(run: Activation, runId: string, name: string, payload: unknown): Sending {
  checkRunId(runId);
  checkAskName("signal", name);
  const { codec, maxPayloadBytes } = run.host;
  const what = `the signal ${name}`;
  const copy = kept(() => payload, `run ${run.runId}: ${what} to run ${runId}`);
  return {
    send: ({ identity, suffix, seq }) => {
      const id = messageId(run.runId, identity, suffix);
      const text = valuesOf(runId, codec).toText(copy(), name, what);
      checkSize(text, maxPayloadBytes, `run ${run.runId}: ${what} to run ${runId}`);
      return {
        value: id,
        send: { kind: "message", seq, runId, message: { type: "signal", id, name, payload: text } },
      };
    },
    refusal: (reason) => {
      const [word, ...rest] = reason.split(" ");
      if (word === "not-found") return new RunNotFoundError(runId);
      return word === "ended" ? new RunEndedError(runId, rest.join(" "), what) : refused(what, reason);
    },
  };
}

function refused(what: string, reason: string): StoreError {
  return new StoreError(`the store refused ${what}: ${reason}`);
}

/** A copy of a value as it is now. What can't be copied is thrown when the copy is asked for. */
function kept(make: Work<unknown>, what: string): Work<unknown> {
  try {
    const value = make();
    if (value === undefined) return () => undefined;
    const text = valueToText(value, what);
    return () => textToValue(text);
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
