import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { FatalError, RetryAfterError } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { clickhouseTime, orderFigure, Tinybird } from "../src/tinybird.ts";

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

interface Request {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

const WRITTEN = { body: { successful_rows: 2, quarantined_rows: 0 } };

/** A server that answers everything alike, and what it was asked. */
async function answering({ status = 200, headers = {}, body }: Answer) {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const { authorization, "content-type": type } = request.headers;
    text(request).then(
      (sent) => {
        requests.push({ line: `${request.method} ${request.url}`, authorization, type, body: sent });
        response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
      },
      () => response.destroy(),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { requests, tinybird: new Tinybird({ url, token: "secret-token" }) };
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("append", () => {
  test("sends one JSON object a line, and waits for the write", async () => {
    const { requests, tinybird } = await answering(WRITTEN);
    await tinybird.append("orders", [{ a: "one\ntwo" }, { a: "ü" }]);
    expect(requests).toEqual([
      {
        line: "POST /v0/events?name=orders&wait=true",
        authorization: "Bearer secret-token",
        type: "application/x-ndjson",
        body: '{"a":"one\\ntwo"}\n{"a":"ü"}',
      },
    ]);
  });

  test("asks for nothing when there is nothing to append", async () => {
    const { requests, tinybird } = await answering(WRITTEN);
    await tinybird.append("orders", []);
    expect(requests).toEqual([]);
  });

  test("fails for good when rows are quarantined", async () => {
    const { tinybird } = await answering({ body: { successful_rows: 1, quarantined_rows: 1 } });
    const error = await failureOf(tinybird.append("orders", [{}, {}]));
    expect(error).toBeInstanceOf(FatalError);
    expect(error).toMatchObject({
      code: "rows_quarantined",
      details: { datasource: "orders", quarantined: 1 },
    });
  });

  test.for([429, 503])("after %i comes back when it is told to", async (status) => {
    const { tinybird } = await answering({
      status,
      headers: { "retry-after": "7" },
      body: { error: "busy" },
    });
    const error = await failureOf(tinybird.append("orders", [{}]));
    expect(error).toBeInstanceOf(RetryAfterError);
    expect(error).toMatchObject({ after: 7_000, message: `Tinybird answered ${status}: busy` });
  });

  test("understands a date to come back at", async () => {
    const date = "Wed, 21 Oct 2026 07:28:00 GMT";
    const { tinybird } = await answering({ status: 503, headers: { "retry-after": date }, body: {} });
    const error = await failureOf(tinybird.append("orders", [{}]));
    expect(error).toMatchObject({ after: new Date(date) });
  });

  test.for<[status: number, headers: Record<string, string>]>([
    [429, {}],
    [503, { "retry-after": "soon" }],
    [500, { "retry-after": "7" }],
    [403, {}],
    [413, {}],
  ])("after %i with %j is an error that is retried as any other", async ([status, headers]) => {
    const { tinybird } = await answering({ status, headers, body: "<html>no</html>" });
    const error = await failureOf(tinybird.append("orders", [{}]));
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(FatalError);
    expect(error).not.toBeInstanceOf(RetryAfterError);
    expect(error).toMatchObject({ message: `Tinybird answered ${status}: <html>no</html>` });
  });

  test("does not take an answer for written that is none", async () => {
    const { tinybird } = await answering({ body: "a proxy says hello" });
    expect(await failureOf(tinybird.append("orders", [{}]))).toBeInstanceOf(Error);
  });

  test("without a connection is an error that is retried", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((closed) => server.close(closed));
    const tinybird = new Tinybird({ url: `http://127.0.0.1:${port}`, token: "secret-token" });
    const error = await failureOf(tinybird.append("orders", [{}]));
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(FatalError);
    expect(String(error)).not.toContain("secret-token");
  });

  test("stops when its step is aborted", async () => {
    const held = createServer(() => aborting.abort(new Error("the step is over"))).listen(0, "127.0.0.1");
    const aborting = new AbortController();
    await once(held, "listening");
    onTestFinished(() => {
      held.closeAllConnections();
      held.close();
    });
    const url = `http://127.0.0.1:${(held.address() as AddressInfo).port}`;
    const sent = new Tinybird({ url, token: "t" }).append("orders", [{}], aborting.signal);
    await expect(sent).rejects.toThrow("the step is over");
  });
});

describe("pipe", () => {
  test("answers its rows, and sends its parameters as they are", async () => {
    const { requests, tinybird } = await answering({ body: { meta: [], data: [{ n: 1 }], rows: 1 } });
    expect(await tinybird.pipe("revenue", { hours: 24, who: "a&b=c" })).toEqual([{ n: 1 }]);
    expect(requests.map(({ line }) => line)).toEqual(["GET /v0/pipes/revenue.json?hours=24&who=a%26b%3Dc"]);
  });

  test("says why there are none", async () => {
    const { tinybird } = await answering({ status: 403, body: { error: "the token may not" } });
    await expect(tinybird.pipe("revenue")).rejects.toThrow("Tinybird answered 403: the token may not");
  });
});

describe("a row of an order", () => {
  const order = { orderId: "o-1", userId: "u-1", chargeId: "ch_1", totalCents: 4_200, itemCount: 3 };

  test.for([
    ["2026-11-23T06:10:00.999Z", "2026-11-23 06:10:00"],
    ["2026-12-31T23:59:59.000Z", "2026-12-31 23:59:59"],
    ["2026-03-29T02:30:00.000+01:00", "2026-03-29 01:30:00"],
  ] as const)("completed at %s is of %s UTC", ([completedAt, timestamp]) => {
    expect(orderFigure({ ...order, completedAt })).toEqual({
      order_id: "o-1",
      user_id: "u-1",
      total_cents: 4_200,
      item_count: 3,
      timestamp,
    });
  });

  test("keeps milliseconds where they are asked for", () => {
    expect(clickhouseTime("2026-11-23T06:10:00.5Z")).toBe("2026-11-23 06:10:00.500");
  });
});
