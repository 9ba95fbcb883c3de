import { FatalError, type ShippedEvent } from "@everstep/core";
import { clickhouseTime, type Tinybird } from "./tinybird.ts";

/** A row of the datasource `run_events`. What an event does not have is empty, or null where zero would be a figure. */
export interface RunFigure {
  readonly id: string;
  /** UTC, `YYYY-MM-DD HH:MM:SS.mmm`. */
  readonly at: string;
  readonly type: ShippedEvent["type"];
  readonly run: string;
  readonly workflow: string;
  readonly version: string;
  readonly run_attempt: number;
  readonly step: string;
  readonly body: string;
  readonly outcome: string;
  readonly ms: number | null;
  /** Why it is stuck, or what kind of error it met; not the error's message, which may quote a customer. */
  readonly code: string;
}

/**
 * Ships the events of an outbox to the datasource `run_events`. An event that comes twice has the same id, and the pipes count it
 * a single time.
 *
 * Events that don't fit the datasource are Tinybird's to keep, in `run_events_quarantine`: shipped again they would not fit either,
 * and hold up all that comes after them.
 */
export function runFigures(
  tinybird: Pick<Tinybird, "append">,
  warn: (message: string) => void = console.warn,
): (events: readonly ShippedEvent[]) => Promise<void> {
  return async (events) => {
    try {
      await tinybird.append("run_events", events.map(runFigure));
    } catch (error) {
      if (!(error instanceof FatalError && error.code === "rows_quarantined")) throw error;
      warn(`figures: ${error.message}; they are kept in run_events_quarantine`);
    }
  };
}

export function runFigure(event: ShippedEvent): RunFigure {
  return {
    id: event.id,
    at: clickhouseTime(event.at),
    type: event.type,
    run: event.run,
    workflow: event.workflow,
    version: event.version,
    run_attempt: event.runAttempt,
    step: "step" in event ? (event.step ?? "") : "",
    body: "body" in event ? event.body : "",
    outcome: outcomeOf(event),
    ms: "ms" in event ? event.ms : null,
    code: codeOf(event),
  };
}

function outcomeOf(event: ShippedEvent): string {
  if ("outcome" in event) return event.outcome;
  return "status" in event ? event.status : "";
}

function codeOf(event: ShippedEvent): string {
  if ("code" in event) return event.code;
  const error = "error" in event ? event.error : undefined;
  return error?.code ?? error?.name ?? "";
}
