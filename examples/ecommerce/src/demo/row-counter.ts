import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { WarehouseSums } from "../books/evidence.ts";
import type { RunFigure } from "../run-figures.ts";
import type { OrderFigure } from "../tinybird.ts";
import { TOKENS, type Warehouse } from "./warehouse.ts";

/** Takes what the shop sends to Tinybird and adds it up, where ClickHouse is not to be had: no pipes, and no troubles. */
export class RowCounter implements Warehouse {
  readonly hasPipes = false;
  readonly env: Warehouse["env"];
  readonly #server: Server;
  readonly #orders = new Map<string, OrderFigure>();
  readonly #events = new Map<string, RunFigure>();

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.env = { TINYBIRD_URL: `http://127.0.0.1:${port}`, ...TOKENS };
  }

  static async start(): Promise<RowCounter> {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const counter = new RowCounter(server);
    server.on("request", (request, response) => {
      const { searchParams } = new URL(request.url ?? "/", "http://tinybird");
      // A caller that dies half-way through its request has sent nothing.
      text(request).then(
        (body) => response.end(JSON.stringify(counter.#take(searchParams.get("name"), body))),
        () => response.destroy(),
      );
    });
    return counter;
  }

  async trouble(): Promise<void> {}

  async sums(): Promise<WarehouseSums> {
    const orders = [...this.#orders.values()];
    const attempts = [...this.#events.values()].filter(({ type }) => type.startsWith("step."));
    const failed = attempts.filter(({ type, outcome }) => type === "step.retried" || outcome === "failed");
    return {
      orders: orders.length,
      cents: orders.reduce((sum, { total_cents: cents }) => sum + cents, 0),
      attempts: attempts.length,
      failedAttempts: failed.length,
    };
  }

  async stuckRuns(): Promise<readonly string[]> {
    return [];
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(datasource: string | null, body: string): object {
    const rows = body.split("\n").map((line) => JSON.parse(line) as OrderFigure & RunFigure);
    for (const row of rows) {
      if (datasource === "orders") this.#orders.set(row.order_id, row);
      else this.#events.set(row.id, row);
    }
    return { successful_rows: rows.length, quarantined_rows: 0 };
  }
}
