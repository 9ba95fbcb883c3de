import { failed, type Answer } from "./stripe-account.ts";

/** An answer as text: later changes of the account don't reach it. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
}

/**
 * Stripe's rules for `Idempotency-Key`. The first execution's answer is kept, failures included, and replayed to the same request;
 * another request under the key, or one that comes while the first is under way, is refused. What was rejected before it began
 * to execute is not kept.
 */
export class IdempotencyKeys {
  readonly #seen = new Map<string, { readonly fingerprint: string; reply: Reply | undefined }>();

  async run(key: string, fingerprint: string, execute: () => Promise<Answer>): Promise<Reply> {
    const known = this.#seen.get(key);
    if (known !== undefined) return answerAgain(key, fingerprint, known);
    const mine: { readonly fingerprint: string; reply: Reply | undefined } = {
      fingerprint,
      reply: undefined,
    };
    this.#seen.set(key, mine);
    const answer = await execute();
    const reply = replyOf(answer);
    if (answer.rejected === true) this.#seen.delete(key);
    else mine.reply = { ...reply, replayed: true };
    return reply;
  }

  /** Stripe may forget keys after 24 hours. */
  forget(): void {
    this.#seen.clear();
  }
}

export function replyOf({ status, body }: Answer): Reply {
  return { status, text: JSON.stringify(body), replayed: false };
}

function answerAgain(
  key: string,
  fingerprint: string,
  known: { readonly fingerprint: string; readonly reply: Reply | undefined },
): Reply {
  if (known.fingerprint !== fingerprint) {
    const message = `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`;
    return replyOf(failed(400, { type: "idempotency_error", message }));
  }
  if (known.reply !== undefined) return known.reply;
  const message = `There is currently another in-progress request using this Idempotent Key: ${key}. Please try again later.`;
  return replyOf(failed(409, { type: "idempotency_error", code: "idempotency_key_in_use", message }));
}
