import { gzipSync } from "node:zlib";
import { TinybirdApi, TinybirdApiError } from "@tinybirdco/sdk/api";
import { FatalError, RetryAfterError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Child } from "../src/demo/child.ts";
import { hasEngine, type LocalTinybird, localTinybird } from "./local-tinybird.ts";

const lamp = {
  order_id: "o-1",
  user_id: "u-1",
  total_cents: 4_200,
  item_count: 2,
  timestamp: "2026-01-31 23:59:59",
};
const lamps = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ ...lamp, order_id: `o-${index}` }));

/** A request as Tinybird's documentation of the Events API shows it. */
function post(
  { url }: LocalTinybird,
  {
    query = "name=orders&wait=true",
    token = "local_append",
    body = JSON.stringify(lamp),
    headers = {},
  }: Asked = {},
): Promise<Response> {
  const authorization = `Bearer ${token}`;
  return fetch(`${url}/v0/events?${query}`, {
    method: "POST",
    headers: { authorization, ...headers },
    body,
  });
}

interface Asked {
  readonly query?: string;
  readonly token?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

const ordersOf = ({ query }: LocalTinybird): Promise<readonly object[]> =>
  query("SELECT order_id FROM orders ORDER BY order_id");

describe.skipIf(!hasEngine)("the Events API of the stand-in", () => {
  test("answers 200 once rows are written when asked to wait, and 202 when not", async () => {
    const tinybird = await localTinybird();
    const waited = await post(tinybird, {
      body: lamps(2)
        .map((row) => JSON.stringify(row))
        .join("\n"),
    });
    expect(waited.status).toBe(200);
    expect(waited.headers.get("content-type")).toContain("application/json");
    expect(await waited.json()).toEqual({ successful_rows: 2, quarantined_rows: 0 });
    expect(await ordersOf(tinybird)).toHaveLength(2);
    const accepted = await post(tinybird, { query: "name=orders" });
    expect(accepted.status).toBe(202);
    expect(await accepted.json()).toEqual({ successful_rows: 1, quarantined_rows: 0 });
    await expect.poll(() => ordersOf(tinybird)).toHaveLength(3);
  });

  test("is what Tinybird's own client takes it for", async () => {
    const { url, query } = await localTinybird();
    const api = new TinybirdApi({ baseUrl: url, token: "local_append" });
    expect(await api.ingestBatch("orders", [lamp, { ...lamp, order_id: "o-2" }])).toEqual({
      successful_rows: 2,
      quarantined_rows: 0,
    });
    expect(await query("SELECT count() AS n FROM orders")).toEqual([{ n: 2 }]);
    const answer = await api.query("revenue_dashboard", { hours: 100_000 }, { token: "local_read" });
    expect(answer).toMatchObject({
      meta: [
        { name: "hour", type: "DateTime" },
        { name: "order_count", type: "UInt64" },
        { name: "revenue_usd", type: "Float64" },
        { name: "avg_order_usd", type: "Float64" },
      ],
      data: [{ hour: "2026-01-31 23:00:00", order_count: 2, revenue_usd: 84, avg_order_usd: 42 }],
      rows: 1,
      statistics: { rows_read: 2 },
    });
    const refused = await api.ingest("orders", lamp, { token: "wrong" }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TinybirdApiError);
    expect(refused).toMatchObject({ statusCode: 403, response: { error: "The token is not valid" } });
  });

  test("lets a token do what the datafiles say, and no more", async () => {
    const tinybird = await localTinybird();
    expect((await post(tinybird, { token: "wrong" })).status).toBe(403);
    expect((await post(tinybird, { token: "local_read" })).status).toBe(403);
    expect(
      (await fetch(`${tinybird.url}/v0/events?name=orders`, { method: "POST", body: "{}" })).status,
    ).toBe(403);
    const inUrl = await fetch(`${tinybird.url}/v0/events?name=orders&wait=true&token=local_append`, {
      method: "POST",
      body: JSON.stringify(lamp),
    });
    expect(inUrl.status).toBe(200);
    await expect(tinybird.writer.pipe("revenue_dashboard")).rejects.toThrow("403");
  });

  test("does nothing for a page of another site", async () => {
    const tinybird = await localTinybird();
    const headers = { origin: "https://evil.example" };
    expect((await post(tinybird, { headers })).status).toBe(403);
    const trouble = { method: "POST", body: JSON.stringify({ kind: "down", times: 1 }), headers };
    expect((await fetch(`${tinybird.url}/_sim/trouble`, trouble)).status).toBe(403);
    expect(await tinybird.query("SELECT count() AS rows FROM orders")).toEqual([{ rows: 0 }]);
    expect((await post(tinybird)).status).toBe(200);
  });

  test("says what is wrong with a request, in Tinybird's shape, and writes nothing of it", async () => {
    const tinybird = await localTinybird();
    const wrong: readonly (readonly [Asked, number])[] = [
      [{ query: "wait=true" }, 400],
      [{ body: "" }, 400],
      [{ body: `${JSON.stringify(lamp)}\n{"order_id":` }, 400],
      [{ query: "name=nothing&wait=true" }, 404],
      [{ headers: { "content-encoding": "gzip" } }, 400],
      [{ body: `${JSON.stringify(lamp)}${" ".repeat(10_000_000)}` }, 413],
      [{ body: gzipSync(" ".repeat(10_000_001)), headers: { "content-encoding": "gzip" } }, 413],
    ];
    for (const [asked, status] of wrong) {
      const answer = await post(tinybird, asked);
      expect(answer.status).toBe(status);
      const reason = z.strictObject({ error: z.string().min(1), documentation: z.url() });
      expect(reason.safeParse(await answer.json()).success).toBe(true);
    }
    expect(await ordersOf(tinybird)).toEqual([]);
  });

  test("takes gzip", async () => {
    const tinybird = await localTinybird();
    const answer = await post(tinybird, {
      body: gzipSync(JSON.stringify(lamp)),
      headers: { "content-encoding": "gzip" },
    });
    expect(await answer.json()).toEqual({ successful_rows: 1, quarantined_rows: 0 });
  });

  test("keeps rows that don't fit in quarantine, with what is wrong, and writes the others", async () => {
    const tinybird = await localTinybird();
    const bad = { ...lamp, order_id: "bad", total_cents: "much", timestamp: "2026-01-31T23:59:59Z" };
    const failure = await tinybird.writer.append("orders", [lamp, bad]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FatalError);
    expect(failure).toMatchObject({ code: "rows_quarantined" });
    expect(await ordersOf(tinybird)).toEqual([{ order_id: "o-1" }]);
    expect(await tinybird.query("SELECT * EXCEPT insertion_date FROM orders_quarantine")).toEqual([
      {
        c__error_column: ["total_cents", "timestamp"],
        c__error: [
          `value on column 'total_cents' "much" is not Int64`,
          `value on column 'timestamp' "2026-01-31T23:59:59Z" is not DateTime`,
        ],
        order_id: "bad",
        user_id: "u-1",
        total_cents: "much",
        item_count: "2",
        timestamp: "2026-01-31T23:59:59Z",
      },
    ]);
  });

  test("keeps every character of a value", async () => {
    const { writer, query } = await localTinybird();
    const order_id = "'; DROP TABLE orders; -- \\ \u0000 \n \u{1f4a1}";
    await writer.append("orders", [{ ...lamp, order_id }]);
    expect(await query("SELECT order_id FROM orders")).toEqual([{ order_id }]);
  });

  test("refuses more than a hundred requests a second, and says when to come back", async () => {
    let now = 0;
    const tinybird = await localTinybird({ now: () => now });
    const empty = (): Promise<Response> => post(tinybird, { body: "" });
    const answers = await Promise.all(Array.from({ length: 100 }, empty));
    expect(answers.every(({ status }) => status === 400)).toBe(true);
    const limited = await post(tinybird);
    expect(limited.status).toBe(429);
    const told = ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    expect(told.map((name) => limited.headers.get(name))).toEqual(["1", "100", "0", "1"]);
    now += 1_000;
    expect((await post(tinybird)).status).toBe(200);
  });

  test("causes the troubles that it is asked for", async () => {
    const { writer, cause, query } = await localTinybird();
    const append = (): Promise<unknown> => writer.append("orders", [lamp]).catch((error: unknown) => error);
    await cause("rate-limit", 1);
    expect(await append()).toBeInstanceOf(RetryAfterError);
    await cause("down", 1_000);
    expect(await append()).toBeInstanceOf(RetryAfterError);
    expect(await query("SELECT count() AS n FROM orders")).toEqual([{ n: 0 }]);
    await cause("down", 0);
    expect(await append()).toBeUndefined();
  });

  test("has written what it lost the reply of, and the row that comes again counts a single time", async () => {
    const { writer, reader, cause, query } = await localTinybird();
    await cause("lose-reply", 1);
    await expect(writer.append("orders", [lamp])).rejects.toThrow("fetch failed");
    await writer.append("orders", [lamp]);
    await writer.append("orders", [{ ...lamp, order_id: "o-2" }]);
    expect(await query("SELECT uniqExact(order_id) AS orders FROM orders")).toEqual([{ orders: 2 }]);
    const hours = await reader.pipe("revenue_dashboard", { hours: 100_000 });
    expect(hours).toMatchObject([{ order_count: 2, revenue_usd: 84 }]);
  });
});

describe.skipIf(!hasEngine)("the stand-in as a process", () => {
  test("serves, and ends on SIGTERM", async () => {
    const child = await Child.start("stand-ins/tinybird/main.ts");
    const answer = await fetch(`http://127.0.0.1:${child.port}/v0/pipes/stuck_runs.json?token=local_read`);
    expect(await answer.json()).toMatchObject({ rows: 0, data: [] });
    expect(await child.end("SIGTERM")).toBe(0);
  });
});
