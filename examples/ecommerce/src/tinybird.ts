import { FatalError, RetryAfterError } from "@everstep/core";
import { z } from "zod";
import type { OrderCompleted } from "./order-completed.ts";

export interface TinybirdOptions {
  /** Of the workspace's region, such as `https://api.tinybird.co`; or the local stand-in. */
  readonly url: string;
  /** One that may append to the datasources, or one that may read the pipes. */
  readonly token: string;
}

/** How long an answer may take when the caller sets no bound of its own. */
const PATIENCE_MS = 10_000;
/** What an error quotes of an answer. */
const QUOTED_MAX = 300;

const Written = z.object({ successful_rows: z.int(), quarantined_rows: z.int() });
const Rows = z.object({ data: z.array(z.record(z.string(), z.unknown())) });
const Refusal = z.object({ error: z.string() });

/** The two calls of Tinybird's HTTP API that the shop makes. Neither tries again: everstep does, where it is seen and survives a crash. */
export class Tinybird {
  readonly #url: string;
  readonly #token: string;

  constructor({ url, token }: TinybirdOptions) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * Appends rows to a datasource; they are in the database when it resolves. A lost answer leaves that open, so append the same rows
   * again: the datasources of the shop count a row that comes twice a single time.
   *
   * Throws a `FatalError` "rows_quarantined" when rows don't fit the datasource, since they never will: the others are written, and
   * those are kept in `<datasource>_quarantine`. Throws a `RetryAfterError` when Tinybird says when to come back.
   */
  async append(datasource: string, rows: readonly object[], signal?: AbortSignal): Promise<void> {
    if (rows.length === 0) return;
    const response = await this.#fetch(`v0/events?name=${encodeURIComponent(datasource)}&wait=true`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: rows.map((row) => JSON.stringify(row)).join("\n"),
      signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
    });
    const { quarantined_rows: quarantined } = Written.parse(await response.json());
    if (quarantined === 0) return;
    throw new FatalError(`${quarantined} of ${rows.length} rows don't fit the datasource ${datasource}`, {
      code: "rows_quarantined",
      details: { datasource, quarantined },
    });
  }

  /** The rows that a pipe answers, computed for this call. `Row` says which columns the pipe selects. */
  async pipe<Row>(
    name: string,
    parameters: Readonly<Record<string, string | number>> = {},
  ): Promise<readonly Row[]> {
    const query = new URLSearchParams(
      Object.entries(parameters).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const response = await this.#fetch(`v0/pipes/${encodeURIComponent(name)}.json?${query.toString()}`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return Rows.parse(await response.json()).data as readonly Row[];
  }

  async #fetch(path: string, { headers, ...request }: Asking): Promise<Response> {
    const response = await fetch(new URL(path, this.#url), {
      ...request,
      headers: { ...headers, authorization: `Bearer ${this.#token}` },
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

interface Asking {
  readonly method?: "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

async function refusal(response: Response): Promise<Error> {
  const message = `Tinybird answered ${response.status}: ${reasonIn(await response.text())}`;
  const after = response.status === 429 || response.status === 503 ? retryAfter(response.headers) : undefined;
  return after === undefined ? new Error(message) : new RetryAfterError(message, { after });
}

/** Milliseconds, or a date: the header has either form. */
function retryAfter(headers: Headers): number | Date | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function reasonIn(text: string): string {
  try {
    return Refusal.parse(JSON.parse(text)).error.slice(0, QUOTED_MAX);
  } catch {
    return text.slice(0, QUOTED_MAX);
  }
}

/** A row of the datasource `orders`. */
export interface OrderFigure {
  readonly order_id: string;
  readonly user_id: string;
  readonly total_cents: number;
  readonly item_count: number;
  /** UTC, `YYYY-MM-DD HH:MM:SS`. */
  readonly timestamp: string;
}

/** The same row for the same order, however often it is asked for: two rows of one order would differ by nothing that counts. */
export function orderFigure(order: OrderCompleted): OrderFigure {
  return {
    order_id: order.orderId,
    user_id: order.userId,
    total_cents: order.totalCents,
    item_count: order.itemCount,
    timestamp: clickhouseTime(order.completedAt).slice(0, "YYYY-MM-DD HH:MM:SS".length),
  };
}

/** An ISO instant as ClickHouse reads it: UTC without the `T` and the `Z`, milliseconds kept. */
export function clickhouseTime(iso: string): string {
  return new Date(iso).toISOString().slice(0, -1).replace("T", " ");
}
