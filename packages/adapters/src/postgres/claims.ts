import type { Claim, ClaimRequest, ClaimResult } from "@everstep/core";
import type { Database } from "./database.ts";
import { isRefusal } from "./failure.ts";
import type { Hints } from "./hints.ts";
import { VERSION } from "./migrations.ts";
import { type InboxPart, parsePart, RunParts, type RunPart, toMessage } from "./run-rows.ts";

/** Where word of everything new reaches this process, it asks without a reason no more often than this. */
const QUIET_MAX_MS = 10_000;

/** What was answered when there was nothing to claim. */
interface Quiet {
  readonly request: string;
  readonly result: ClaimResult;
  /** By this process's monotonic clock. */
  readonly since: number;
  readonly until: number;
  readonly heard: number;
}

export class Claims {
  readonly #database: Database;
  readonly #hints: Hints;
  #quiet: Quiet | undefined;

  constructor(database: Database, hints: Hints) {
    this.#database = database;
    this.#hints = hints;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const key = JSON.stringify(request);
    return this.#stillQuiet(key) ?? (await this.#ask(request, key));
  }

  /** The same answer as before, while nothing became due by the clock and nobody said that anything changed. */
  #stillQuiet(key: string): ClaimResult | undefined {
    const quiet = this.#quiet;
    const now = performance.now();
    if (quiet?.request !== key || quiet.heard !== this.#hints.heard || now > quiet.until) return undefined;
    return { ...quiet.result, now: quiet.result.now + Math.floor(now - quiet.since) };
  }

  async #ask(request: ClaimRequest, key: string): Promise<ClaimResult> {
    const { heard } = this.#hints;
    const result = await this.#read(request);
    this.#quiet = undefined;
    const isIdle = request.limit > 0 && request.inboxes.length === 0 && result.claims.length === 0;
    const dueInMs = (result.nextDueAt ?? Infinity) - result.now;
    if (isIdle && dueInMs > 0 && this.#hints.isListening) {
      const since = performance.now();
      this.#quiet = { request: key, result, since, until: since + Math.min(dueInMs, QUIET_MAX_MS), heard };
    }
    return result;
  }

  async #rows(request: ClaimRequest): Promise<readonly string[]> {
    try {
      return await this.#call(request);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A damaged row keeps none of the others (F57): it is found, set aside, and the rest claimed.
      await this.#database.ask("sift", [request.worker, JSON.stringify(request.workflows)]);
      return this.#call(request);
    }
  }

  #call({ worker, limit, workflows, except, inboxes }: ClaimRequest): Promise<readonly string[]> {
    return this.#database.ask("claim", [
      worker,
      limit,
      JSON.stringify(workflows),
      except.length === 0 ? null : JSON.stringify(except),
      inboxes.length === 0 ? null : JSON.stringify(inboxes.map(({ runId: run, after }) => ({ run, after }))),
      VERSION,
      // Whoever has no lock is judged by its lease: nobody needs to look more often.
      this.#database.hasSessions ? this.#database.channel : null,
    ]);
  }

  async #read(request: ClaimRequest): Promise<ClaimResult> {
    const [first = "{}", ...rest] = await this.#rows(request);
    const { now, nextDueAt, paused } = JSON.parse(first) as Pick<ClaimResult, "now" | "nextDueAt" | "paused">;
    const parts = new RunParts();
    const news: InboxPart[] = [];
    for (const text of rest) {
      if (text.startsWith('{"inbox"')) news.push(JSON.parse(text) as InboxPart);
      else parts.add(parsePart(text));
    }
    return {
      now,
      nextDueAt,
      paused,
      claims: soundClaims(parts),
      inboxes: news.map(({ inbox: runId, count, messages }) => ({
        runId,
        inbox: count,
        messages: messages.map(toMessage),
      })),
    };
  }
}

/** A damaged run takes no other one with it (F57): its worker gives it back, and is told when it is claimed alone. */
function soundClaims(parts: RunParts): readonly Claim[] {
  const claims = parts.runs.flatMap((run: RunPart) => {
    try {
      return [parts.claimOf(run)];
    } catch {
      return [];
    }
  });
  const [damaged] = parts.runs;
  return claims.length === 0 && damaged !== undefined ? [parts.claimOf(damaged)] : claims;
}
