import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { onTestFinished } from "vitest";

export interface FiguresInbox {
  readonly url: string;
  /** How many rows came, by the datasource that they are for. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Takes the rows that are meant for Tinybird and counts them, for one test. */
export async function openedFiguresInbox(): Promise<FiguresInbox> {
  const rows: Record<string, number> = {};
  const app = express().use(express.text({ type: () => true }));
  app.post("/v0/events", (request, response) => {
    const name = new URL(request.url, "http://tinybird").searchParams.get("name") ?? "";
    const { length } = String(request.body).trim().split("\n");
    rows[name] = (rows[name] ?? 0) + length;
    response.json({ successful_rows: length, quarantined_rows: 0 });
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, rows };
}
