/** How far apart two looks at a free lock must be for its worker to be dead. Its own heartbeats are closer together. */
const LOOKS_APART_MS = 900;

/** After a restart of the server everybody gets so long to come back before anybody is judged. */
const SERVER_GRACE_MS = 3_000;

/**
 * So long after losing our own session we don't know whose fault it was; and so long after getting it back, who else was cut off and
 * is on the way.
 */
const OWN_SESSION_GRACE_MS = 5_000;

/** A worker that was away itself for so long, frozen or cut off, judges nobody by the clock yet. */
const AWAY_MS = 5_000;

/** A worker whose lease is over, or whose lock is free. */
export interface Suspect {
  readonly id: number;
  readonly batch: number;
  readonly beat: number;
  readonly expiresAt: number;
}

/** Decides who is dead. A wrong judgement costs a healthy worker its runs, though never a double write: they are fenced. */
export class Suspicions {
  readonly #seen = new Map<number, Suspect & { readonly since: number }>();
  #sessionChangedAt = -Infinity;
  #backSince = -Infinity;

  /** Before each renewal: what this worker itself was up to. All instants by the monotonic clock. */
  saw({ awayMs, sessionChangedAt }: { readonly awayMs: number; readonly sessionChangedAt: number }): void {
    this.#sessionChangedAt = sessionChangedAt;
    if (awayMs > AWAY_MS) this.#backSince = performance.now();
  }

  /** `now` by the store's clock, `at` by ours. */
  judge(
    suspects: readonly Suspect[],
    { serverUpMs, now, at }: { readonly serverUpMs: number; readonly now: number; readonly at: number },
  ): readonly Suspect[] {
    const mayJudge =
      serverUpMs >= SERVER_GRACE_MS &&
      at - this.#sessionChangedAt >= OWN_SESSION_GRACE_MS &&
      at - this.#backSince >= AWAY_MS / 2;
    const dead = suspects.filter((suspect) => this.#isStill(suspect, at) || suspect.expiresAt <= now);
    const ids = new Set(suspects.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    return mayJudge ? dead : [];
  }

  #isStill({ id, batch, beat, expiresAt }: Suspect, at: number): boolean {
    const before = this.#seen.get(id);
    if (before?.batch === batch && before.beat === beat && before.expiresAt === expiresAt)
      return at - before.since >= LOOKS_APART_MS;
    this.#seen.set(id, { id, batch, beat, expiresAt, since: at });
    return false;
  }
}
