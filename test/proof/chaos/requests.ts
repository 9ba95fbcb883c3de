/** What a program asks of everstep from outside of a run, in whichever process it is. */
import { type Client, EverstepError } from "@everstep/core";
import type { Ground } from "./ground.ts";
import type { Input, Name } from "./steps.ts";
import type { Workflows } from "./workflows.ts";

export type Request =
  /** `inTx`: together with a row in the application's own table. */
  | {
      readonly wish: "start";
      readonly id: string;
      readonly workflow: Name;
      readonly input: Input;
      readonly inTx: boolean;
    }
  | {
      readonly wish: "signal";
      readonly id: string;
      readonly name: string;
      readonly payload: string;
      readonly signalId: string;
    }
  | { readonly wish: "cancel"; readonly id: string; readonly compensate: boolean }
  | { readonly wish: "resume" | "pause"; readonly id: string; readonly because: string };

/** `unknown`: nobody knows whether it was carried out. */
export type Answer = "ok" | "unknown" | Refusal;

interface Refusal {
  readonly error: string;
  /** That of everstep's error; empty for others. */
  readonly code: string;
}

export interface Asked {
  readonly client: Client;
  readonly ground: Ground;
  readonly workflows: Workflows;
}

export async function answerTo(request: Request, asked: Asked): Promise<Answer> {
  try {
    await carryOut(request, asked);
    return "ok";
  } catch (error) {
    if (asked.ground.isOutage(error)) return "unknown";
    return { error: String(error), code: error instanceof EverstepError ? error.code : "" };
  }
}

async function carryOut(request: Request, { client, ground, workflows }: Asked): Promise<void> {
  const { id } = request;
  switch (request.wish) {
    case "start": {
      const { workflow, input, inTx } = request;
      const definition = workflows[workflow];
      if (inTx) await ground.request(id, (tx) => client.start(definition, input, { id, tx }));
      else await client.start(definition, input, { id });
      return;
    }
    case "signal":
      return client.get(id).signal(request.name, request.payload, { id: request.signalId });
    case "cancel":
      return client.get(id).cancel({ compensate: request.compensate });
    case "resume":
      return client.runs.resume(id, { because: request.because });
    case "pause":
      return client.runs.pause(id, { because: request.because });
  }
}
