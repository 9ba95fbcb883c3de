import { z } from "zod";

/** A trouble that the next requests to the Events API meet. */
export interface Trouble {
  /**
   * - `rate-limit`: 429 with Retry-After, nothing written; `down`: 503 with Retry-After, nothing written;
   * - `lose-reply`: written, then the connection is cut.
   */
  readonly kind: "rate-limit" | "down" | "lose-reply";
  /** How many requests meet it; none ends what is left of it. */
  readonly times: number;
}

export const Trouble: z.ZodType<Trouble> = z.strictObject({
  kind: z.enum(["rate-limit", "down", "lose-reply"]),
  times: z.int().min(0),
});

export class Troubles {
  #waiting: { readonly kind: Trouble["kind"]; left: number }[] = [];

  add({ kind, times }: Trouble): void {
    if (times === 0) this.#waiting = this.#waiting.filter((waiting) => waiting.kind !== kind);
    else this.#waiting.push({ kind, left: times });
  }

  /** The oldest that waits; one of its times is used up. */
  take(): Trouble["kind"] | undefined {
    const trouble = this.#waiting[0];
    if (trouble === undefined) return undefined;
    trouble.left -= 1;
    if (trouble.left === 0) this.#waiting.shift();
    return trouble.kind;
  }
}
