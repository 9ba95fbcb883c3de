import { setTimeout as delay } from "node:timers/promises";
import type { CustomerRecord, Ending, ExpectedAnswer, Word } from "../books/evidence.ts";
import type { PlannedOrder } from "./fates.ts";

interface Answer {
  readonly code: number;
  readonly order: { readonly status: "processing" | Ending; readonly chargeId?: string };
}

const RETRY_MS = 300;
const POLL_MS = 300;

export interface Surroundings {
  /** Where the service listens now, undefined while it is down. */
  readonly url: () => string | undefined;
  /** Settles when an order is charged whose answer Stripe holds back, or when that takes too long. */
  readonly charged: (orderId: string) => Promise<unknown>;
  /** Aborted when nobody waits any longer. */
  readonly closed: AbortSignal;
}

/**
 * The customers: they know nothing of crashes. Without an answer they send the same order again, and they note what they are told.
 */
export class Customers {
  readonly records: CustomerRecord[] = [];
  readonly answers: ExpectedAnswer[] = [];
  /** Requests that got no answer. */
  unanswered = 0;
  ended = 0;
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** From the first request to the order's end. */
  async order(planned: PlannedOrder): Promise<void> {
    const { request, mayEnd } = planned;
    const voices = await Promise.all((planned.twice ? [1, 2] : [1]).map(() => this.#follow(planned)));
    const told = voices.flatMap((voice) => voice.told);
    this.records.push({ request, mayEnd, accepted: voices.some(({ accepted }) => accepted), told });
    this.ended += 1;
    if (planned.impostor && told.length > 0) await this.#expect(409, { ...request, userId: "impostor" });
  }

  async invalid(order: unknown): Promise<void> {
    await this.#expect(422, order);
  }

  async #follow({ request, canceled }: PlannedOrder): Promise<Pick<CustomerRecord, "accepted" | "told">> {
    const path = `/orders/${request.orderId}`;
    const charged = canceled === "when charged" ? this.#surroundings.charged(request.orderId) : undefined;
    const answer = await this.#insist("POST", "/orders", request);
    if (answer === undefined) return { accepted: false, told: [] };
    if (answer.code !== 200 && answer.code !== 202) {
      this.answers.push({ about: request.orderId, expected: 202, got: answer.code });
      return { accepted: false, told: [] };
    }
    await charged;
    if (canceled !== "never") await this.#insist("POST", `${path}/cancel`);
    return { accepted: true, told: [...wordOf(answer), ...(await this.#awaitEnd(path))] };
  }

  async #awaitEnd(path: string): Promise<Word[]> {
    for (;;) {
      const answer = await this.#insist("GET", path);
      if (answer === undefined) return [];
      if (answer.code !== 200) {
        this.answers.push({ about: path, expected: 200, got: answer.code });
        return [];
      }
      const word = wordOf(answer);
      if (word.length > 0) return word;
      await this.#pause(POLL_MS);
    }
  }

  /**
   * Asks until there is an answer; undefined when everybody went home before. After a request without one nobody knows whether
   * the order was taken, and asking again is safe.
   */
  async #insist(method: string, path: string, body?: unknown): Promise<Answer | undefined> {
    while (!this.#surroundings.closed.aborted) {
      const answer = await this.#ask(method, path, body);
      if (answer !== undefined && answer.code < 500) return answer;
      if (answer?.code === 500) this.answers.push({ about: `${method} ${path}`, expected: 200, got: 500 });
      await this.#pause(RETRY_MS);
    }
    return undefined;
  }

  async #ask(method: string, path: string, body: unknown): Promise<Answer | undefined> {
    const url = this.#surroundings.url();
    if (url === undefined) return undefined;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(10_000),
        ...content,
      });
      return { code: response.status, order: (await response.json()) as Answer["order"] };
    } catch {
      this.unanswered += 1;
      return undefined;
    }
  }

  async #expect(expected: number, order: unknown): Promise<void> {
    const answer = await this.#insist("POST", "/orders", order);
    this.answers.push({ about: JSON.stringify(order), expected, got: answer?.code ?? 0 });
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#surroundings.closed }).catch(() => undefined);
  }
}

/** What the answer says of the order's end, if it says it. */
function wordOf({ order: { status, chargeId } }: Answer): Word[] {
  return status === "processing" ? [] : [{ status, chargeId }];
}
