import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface FiguresInbox {
  readonly url: string;
  /** How many rows came, by the datasource that they are for. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Takes the rows that are meant for Tinybird and counts them, for one test. */
export async function openedFiguresInbox(): Promise<FiguresInbox> {
  const rows: Record<string, number> = {};
  const server = createServer(async (request, response) => {
    const name = new URL(request.url ?? "/", "http://tinybird").searchParams.get("name") ?? "";
    const { length } = (await text(request)).trim().split("\n");
    rows[name] = (rows[name] ?? 0) + length;
    response.end(JSON.stringify({ successful_rows: length, quarantined_rows: 0 }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, rows };
}
