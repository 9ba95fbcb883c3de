/**
 * Every body that began, and what must hold when one does: I4 not after its outcome is durable · I13 undos only after the decision to
 * undo is durable, and nothing else from then on.
 */
import type { BodyCall } from "../around-bodies.ts";
import type { Audit } from "./audit.ts";

export interface BodyRecord {
  readonly kind: BodyCall["kind"];
  readonly runId: string;
  readonly name: string;
  /** Undefined of a transaction. */
  readonly idempotencyKey: string | undefined;
  /** `name`, `name#2` or `name[key]`; undefined where the idempotency key does not tell. */
  readonly stepKey: string | undefined;
  /** The step has a `compensate` of its own. */
  readonly isCompensated: boolean;
  readonly attempt: number;
  /** Number of the process in which it ran, by birth. */
  readonly process: number;
}

/** An idempotency key that was cut off and hashed can't be read back. */
const HASHED_LENGTH = 255;

export class Bodies {
  readonly all: BodyRecord[] = [];
  readonly problems: string[] = [];
  /** Bodies that only the jump of the store's clock excuses: it took over a worker that could not know. */
  excused = 0;
  readonly #audit: Audit;

  constructor(audit: Audit) {
    this.#audit = audit;
  }

  begins(process: number, call: BodyCall, isExcused: boolean): void {
    const problems = this.#begins(process, call);
    if (isExcused) this.excused += problems.length;
    else this.problems.push(...problems);
  }

  #begins(process: number, { kind, runId, name, step, isCompensated = false }: BodyCall): readonly string[] {
    const idempotencyKey = step?.idempotencyKey;
    const key = idempotencyKey === undefined ? name : stepKeyOf(idempotencyKey);
    const attempt = step?.attempt ?? 1;
    this.all.push({ kind, runId, name, idempotencyKey, stepKey: key, isCompensated, attempt, process });
    const run = this.#audit.run(runId);
    // The SQL of a worker that has lost its run may still begin: the fence comes after it, and rolls it back.
    if (key === undefined || kind === "lookUp" || kind === "transaction") return [];
    const isUndo = kind === "undo";
    const what = `run ${runId}: the body of ${kind} ${key} began`;
    return [
      ...(run.settled.has(`${isUndo ? "undo" : "step"} ${key}`)
        ? [`I4: ${what} although its outcome is durable`]
        : []),
      ...(isUndo === run.unwinding
        ? []
        : [`I13: ${what} ${run.unwinding ? "after" : "before"} the decision to undo`]),
    ];
  }
}

/** `run%2F1/charge[a]/undo` is of the step `charge[a]`. */
function stepKeyOf(idempotencyKey: string): string | undefined {
  if (idempotencyKey.length >= HASHED_LENGTH) return undefined;
  const [, step] = idempotencyKey.split("/");
  return step === undefined ? undefined : decodeURIComponent(step.replace(/~\d+$/, ""));
}
