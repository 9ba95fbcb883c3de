import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Snapshot } from "../src/operations/figures-feed.ts";
import { type Operations, startOperations } from "../src/operations/operations-server.ts";
import { Tinybird } from "../src/tinybird.ts";

const TOKEN = "a-read-token";

/** What answers like the pipes of Tinybird, and what it was asked. */
async function pipesAnswering(rows: Readonly<Record<string, readonly object[]>>) {
  const asked: string[] = [];
  const server = createServer(({ url = "", headers }, response) => {
    asked.push(`${headers.authorization} ${url}`);
    const name = /^\/v0\/pipes\/(\w+)\.json/.exec(url)?.[1] ?? "";
    const data = rows[name] ?? [];
    response.end(JSON.stringify({ meta: [], data, rows: data.length, statistics: {} }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, tinybird: new Tinybird({ url, token: TOKEN }) };
}

async function started(rows: Readonly<Record<string, readonly object[]>> = {}) {
  const { asked, tinybird } = await pipesAnswering(rows);
  const operations = await startOperations({ tinybird, port: 0, everyMs: 20 });
  onTestFinished(() => operations.stop());
  return { asked, operations, url: `http://127.0.0.1:${operations.port}` };
}

/** The snapshots as they come; leaving the loop hangs up. */
async function* live({ port }: Operations): AsyncGenerator<Snapshot> {
  const hangUp = new AbortController();
  const { body, headers } = await fetch(`http://127.0.0.1:${port}/live`, { signal: hangUp.signal });
  expect(headers.get("content-type")).toMatch(/^text\/event-stream/);
  let rest = "";
  try {
    for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + piece).split("\n\n");
      rest = events.pop() ?? "";
      const data = events.filter((event) => event.startsWith("data: "));
      for (const event of data) yield JSON.parse(event.slice("data: ".length)) as Snapshot;
    }
  } finally {
    hangUp.abort();
  }
}

async function answered(operations: Operations): Promise<Snapshot> {
  for await (const snapshot of live(operations)) if (snapshot.stuck.age !== null) return snapshot;
  throw new Error("the server hung up");
}

describe("the figures", () => {
  test("are read from the five pipes with the token, which stays on the server", async () => {
    const { operations, asked } = await started({
      stuck_runs: [
        { run: "order-1", workflow: "order", code: "BUG", step: "", since: "2026-11-03 14:00:00.000" },
      ],
    });
    const snapshot = await answered(operations);
    expect(snapshot.stuck.rows).toEqual([
      { run: "order-1", workflow: "order", code: "BUG", step: "", at: Date.UTC(2026, 10, 3, 14) / 1000 },
    ]);
    expect([...new Set(asked)].toSorted()).toEqual(
      [
        "/v0/pipes/failed_steps.json?minutes=10&seconds=10",
        "/v0/pipes/recent_orders.json?minutes=10&seconds=10",
        "/v0/pipes/revenue_dashboard.json?",
        "/v0/pipes/step_latency.json?",
        "/v0/pipes/stuck_runs.json?limit=101",
      ].map((path) => `Bearer ${TOKEN} ${path}`),
    );
    expect(JSON.stringify(snapshot)).not.toContain(TOKEN);
  });

  test("come again and again on one connection", async () => {
    const { operations } = await started();
    const times: number[] = [];
    for await (const { now } of live(operations)) {
      times.push(now);
      if (times.length === 3) break;
    }
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });
});

test("a hundred who watch ask no more than one does; one who never reads holds up nobody, nor does any of them the end", async () => {
  const { operations, asked } = await started();
  const watch = (): Socket => {
    const socket = connect(operations.port, "127.0.0.1");
    socket.write("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n");
    return socket.on("error", () => undefined);
  };
  const deaf = watch().pause();
  const watching = Array.from({ length: 100 }, () => watch().resume());
  await Promise.all(watching.map((socket) => once(socket, "data")));
  const before = asked.length;
  let snapshots = 0;
  for await (const _ of live(operations)) if (++snapshots === 10) break;
  // Five pipes for each snapshot, and for those that passed while one more came; each of a hundred would ask 5,000 times.
  expect(asked.length - before).toBeLessThan(500);
  await operations.stop();
  await Promise.all(watching.map((socket) => once(socket, "close")));
  deaf.destroy();
});

describe("the page", () => {
  test("has every file that it names, each of its type", async () => {
    const { url } = await started();
    const page = await (await fetch(url)).text();
    const named = new Set([...page.matchAll(/"(\/[\w./-]+)"/g)].map(([, path]) => path ?? ""));
    for (const path of named) {
      const response = await fetch(url + path);
      expect([path, response.status]).toEqual([path, 200]);
      const script = await response.text();
      const from = [...script.matchAll(/^(?:import|\} from) .*?"\.(\/[\w-]+\.js)";$/gm)];
      if (path.startsWith("/vendor/")) continue;
      for (const [, imported] of from) named.add(imported ?? "");
    }
    expect([...named]).toEqual(
      expect.arrayContaining(["/page.css", "/main.js", "/chart.js", "/vendor/uplot.js"]),
    );
    const typeOf = async (path: string) => (await fetch(url + path)).headers.get("content-type");
    expect(await typeOf("/vendor/htm.js")).toMatch(/^text\/javascript/);
    expect(await typeOf("/icon.svg")).toMatch(/^image\/svg/);
  });

  test("may load what its server has and nothing else, and no script inside of it but the import map", async () => {
    const { url } = await started();
    const { headers } = await fetch(url);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; script-src 'self' 'sha256-[^']+'; style-src 'self'; /);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-powered-by")).toBeNull();
  });

  test.each(["/page/tsconfig.json", "/..%2foperations-server.ts", "/../main.ts", "/vendor/", "/v0/events"])(
    "there is nothing at %s",
    async (path) => {
      const { operations } = await started();
      expect((await raw(operations, path)).status).toBe(404);
    },
  );
});

/** Not `fetch`, which tidies a path up before it is sent. */
async function raw(
  { port }: Operations,
  path: string,
): Promise<{ status: number | undefined; body: string }> {
  const asking = request({ host: "127.0.0.1", port, path }).end();
  const [response] = (await once(asking, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}
