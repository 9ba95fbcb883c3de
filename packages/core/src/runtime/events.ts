import { randomUUID } from "node:crypto";
import { EventConflictError, StoreError } from "../errors.ts";
import type { EmitWrite, Outcome } from "../store.ts";
import type { ClientCore } from "./client-core.ts";
import { checkLimit } from "./filters.ts";
import { newEvent } from "./new-event.ts";

/** An event as it is remembered, for 90 days. */
export interface EventReport {
  readonly name: string;
  readonly id: string;
  readonly at: Date;
  /** How many runs it started; 0 when no workflow listened. */
  readonly runs: number;
}

export interface EmitOptions<Tx = unknown> {
  /** Your own id of the event, at most 200 characters: the same name and id is the same event. A random one by default. */
  readonly id?: string;
  /** Emit it inside this open transaction of yours: its runs exist if and only if you commit. */
  readonly tx?: Tx;
}

export interface Emitted {
  /** Ids of the runs that it started, now or when it was emitted before. */
  readonly runs: readonly string[];
}

/** `client.events`: what was emitted. */
export class Events {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /** Of this name, or all; newest first. */
  async list(
    options: { readonly name?: string; readonly limit?: number } = {},
  ): Promise<readonly EventReport[]> {
    const { name, limit = 100 } = options;
    checkLimit(limit);
    const events = await this.#core.store.events({ limit, ...(name === undefined ? {} : { name }) });
    return events.map(({ at, ...event }) => ({ ...event, at: new Date(at) }));
  }
}

export function emit(
  core: ClientCore,
  name: string,
  payload: unknown,
  options: EmitOptions,
): Promise<Emitted> {
  const { codec, maxPayloadBytes } = core;
  const { id = randomUUID(), tx } = options;
  const event = newEvent({ name, id, payload, codec, maxPayloadBytes });
  const write: EmitWrite = { kind: "emit", event };
  const emitted = (outcome: Outcome): Emitted => {
    if (outcome.is === "conflict") throw new EventConflictError(name, id);
    if (outcome.is === "emitted") return { runs: outcome.runs };
    const why = outcome.is === "refused" ? outcome.reason : outcome.is;
    throw new StoreError(`event ${name} with the id ${id}: the store refused it: ${why}`);
  };
  if (tx === undefined) return core.write(write).then(emitted);
  const { now, later } = core.writeIn(tx, write);
  return now === undefined ? later.then(emitted) : Promise.resolve(emitted(now));
}
