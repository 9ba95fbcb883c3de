/** Who did what and why, as persons' orders are stored: encoded, for a reason may quote anything. */
import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import type { Order } from "../engine/repair.ts";
import type { Values } from "../engine/values.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { PauseNote } from "../store.ts";

/** Of every change that a person orders: it is kept with the run. */
export interface OrderOptions {
  /** Why: kept in the run's journal, and shown by `why`. */
  readonly because?: string;
  /** Who; default: the user and the host of this process. */
  readonly by?: string;
}

/** Who paused something, why, and since when. */
export interface PauseReport {
  readonly at: Date;
  readonly by: string | null;
  readonly because: string | null;
}

const TEXT_MAX = 2000;

export function orderOf({ because, by = whoami() }: OrderOptions): Order {
  for (const [option, text] of Object.entries({ because, by }))
    if (text !== undefined && (typeof text !== "string" || text.length > TEXT_MAX))
      throw new InvalidArgumentError(`${option} must be a text of at most ${TEXT_MAX} characters`);
  return { id: randomUUID(), by, because: because ?? null };
}

export function noteText({ by, because }: Order, values: Values): string {
  return values.toText({ by, because }, "", "who ordered it, and why");
}

/** Also without the key that it was written with: what is paused must be seen to be. */
export function pauseReport(paused: PauseNote | null, values: Values): PauseReport | null {
  if (paused === null) return null;
  const at = new Date(paused.at);
  try {
    const { by = null, because = null } = values.fromText(
      paused.note,
      "",
      "why it is paused",
    ) as Partial<Order>;
    return { at, by, because };
  } catch (error) {
    return { at, by: null, because: error instanceof Error ? error.message : String(error) };
  }
}

/** What a workflow's own notes are bound to: they are no run's. */
export function workflowNoteId(workflow: string): string {
  return `workflow ${workflow}`;
}

function whoami(): string {
  return `${userName()}@${hostname()}`;
}

/** A container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env["USER"] ?? `user ${process.getuid?.() ?? "unknown"}`;
  }
}
