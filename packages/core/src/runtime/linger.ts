import type { Message, WaitNote } from "../store.ts";

/** A shorter wait is waited for in memory: parking it would cost more. */
const LINGER_MS = 1000;
const LINGER_RETRY_MS = 5000;
/** While children end one after the other, their parent stays: being replayed for each would take as long as all of them. */
const LINGER_CHILD_MS = 250;

/** Whether a run that only waits stays in memory. */
export class Linger {
  #childAt = Number.NEGATIVE_INFINITY;

  heard(messages: readonly Message[], now: number): void {
    if (messages.some(({ type }) => type === "child")) this.#childAt = now;
  }

  stays(
    { dueAt, waits }: { readonly dueAt: number | null; readonly waits: readonly WaitNote[] },
    now: number,
  ): boolean {
    const soonMs = waits.some(({ kind }) => kind === "retry") ? LINGER_RETRY_MS : LINGER_MS;
    if (dueAt !== null && dueAt - now <= soonMs) return true;
    return now < this.#childAt + LINGER_CHILD_MS && waits.some(({ kind }) => kind === "child");
  }

  /** When there is to be looked again. */
  nextAt(dueAt: number | null, now: number): number | null {
    const lingersUntil = this.#childAt + LINGER_CHILD_MS;
    if (now >= lingersUntil) return dueAt;
    return dueAt === null ? lingersUntil : Math.min(dueAt, lingersUntil);
  }
}
