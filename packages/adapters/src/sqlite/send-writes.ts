import type { AdvanceWrite, Outcome, Send } from "@everstep/core";
import type { EventWrites } from "./event-writes.ts";
import type { MessageWrites } from "./message-writes.ts";
import type { Scope } from "./scope.ts";
import type { StartWrites } from "./start-writes.ts";
import type { Waiters } from "./waiters.ts";

/** A send that was refused: the entry that it belongs to, and the reason that becomes its error. */
export interface Refusal {
  readonly seq: number;
  readonly reason: string;
}

/** What a run's entries send out, in their transaction (S11). To be called when the write was let through. */
export class SendWrites {
  readonly #starts: StartWrites;
  readonly #messages: MessageWrites;
  readonly #events: EventWrites;
  readonly #waiters: Waiters;

  constructor(writes: {
    readonly starts: StartWrites;
    readonly messages: MessageWrites;
    readonly events: EventWrites;
    readonly waiters: Waiters;
  }) {
    this.#starts = writes.starts;
    this.#messages = writes.messages;
    this.#events = writes.events;
    this.#waiters = writes.waiters;
  }

  /** In order. Answers the refusals that somebody asks about. */
  apply(sender: number, { runId, sends = [] }: AdvanceWrite, scope: Scope): readonly Refusal[] {
    return sends.flatMap((send) => {
      const reason = reasonOf(this.#guarded(send, sender, runId, scope));
      return reason === undefined || send.seq === null ? [] : [{ seq: send.seq, reason }];
    });
  }

  /** What can't be stored sinks its batch's first try; in the second one it refuses this send alone. */
  #guarded(send: Send, sender: number, runId: string, scope: Scope): Outcome {
    if (scope.guard === undefined) return this.#send(send, sender, runId, scope);
    return scope.guard(
      () => this.#send(send, sender, runId, scope),
      (reason) => ({ is: "refused", reason }),
    );
  }

  #send(send: Send, sender: number, runId: string, scope: Scope): Outcome {
    switch (send.kind) {
      case "start":
        return this.#start(send, sender, runId, scope);
      case "message":
        return this.#messages.apply(send, scope);
      case "emit":
        return this.#events.emit(send.event, scope);
    }
  }

  #start(
    { run, key, awaited }: Extract<Send, { kind: "start" }>,
    sender: number,
    runId: string,
    scope: Scope,
  ): Outcome {
    const outcome = this.#starts.bear(run, { parent: { runId, key, called: awaited } }, scope);
    // It waits for a run that was there as well; for one that was purged it would wait for ever.
    return outcome.is === "exists" && awaited
      ? this.#waiters.add({ no: sender }, run.id, key, scope)
      : outcome;
  }
}

function reasonOf(outcome: Outcome): string | undefined {
  switch (outcome.is) {
    case "conflict":
      // An event is no run of any workflow.
      return outcome.workflow === "" ? "conflict" : `conflict ${outcome.workflow}`;
    case "ended":
      return `ended ${outcome.status}`;
    case "refused":
      return `refused ${outcome.reason}`;
    case "not-found":
      return "not-found";
    default:
      return undefined;
  }
}
