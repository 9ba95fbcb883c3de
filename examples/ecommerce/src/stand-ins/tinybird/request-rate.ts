/** The window and what is allowed in it, per datasource. */
const WINDOW_MS = 1000;
export const REQUESTS_MAX = 100;

/** How a request stands to the limit: what Tinybird says in its `X-RateLimit-…` headers. */
export interface Rate {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Until the next window begins. */
  readonly resetSeconds: number;
}

/** Counts requests in windows of a second. */
export class RequestRate {
  readonly #windows = new Map<string, { startedAt: number; requests: number }>();

  take(datasource: string, now: number): Rate {
    const known = this.#windows.get(datasource);
    const window =
      known === undefined || now - known.startedAt >= WINDOW_MS ? { startedAt: now, requests: 0 } : known;
    window.requests += 1;
    this.#windows.set(datasource, window);
    return {
      allowed: window.requests <= REQUESTS_MAX,
      remaining: Math.max(0, REQUESTS_MAX - window.requests),
      resetSeconds: Math.ceil((window.startedAt + WINDOW_MS - now) / 1000),
    };
  }
}
