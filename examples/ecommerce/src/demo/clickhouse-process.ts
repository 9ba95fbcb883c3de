import type { WarehouseSums } from "../books/evidence.ts";
import { Tinybird } from "../tinybird.ts";
import { Child } from "./child.ts";
import { TOKENS, type Warehouse } from "./warehouse.ts";

/** The stand-in for Tinybird: the files of `tinybird/` on a real ClickHouse, in a process that lives through the whole day. */
export class ClickHouseProcess implements Warehouse {
  readonly hasPipes = true;
  readonly env: Warehouse["env"];
  readonly #child: Child;
  readonly #tinybird: Tinybird;

  private constructor(child: Child) {
    this.#child = child;
    this.env = { TINYBIRD_URL: child.url, ...TOKENS };
    this.#tinybird = new Tinybird({ url: child.url, token: TOKENS.TINYBIRD_READ_TOKEN });
  }

  static async start(): Promise<ClickHouseProcess> {
    return new ClickHouseProcess(await Child.start("stand-ins/tinybird/main.ts", { arguments: ["0"] }));
  }

  async trouble(): Promise<void> {
    for (const kind of ["rate-limit", "lose-reply"])
      await this.#child.tell("/_sim/trouble", { kind, times: 1 });
  }

  async sums(): Promise<WarehouseSums> {
    const hours = await this.#tinybird.pipe<Hour>("revenue_dashboard");
    const buckets = await this.#tinybird.pipe<Bucket>("failed_steps");
    return {
      orders: total(hours.map((hour) => hour.order_count)),
      cents: Math.round(100 * total(hours.map((hour) => hour.revenue_usd))),
      attempts: total(buckets.map(({ attempts }) => attempts)),
      failedAttempts: total(buckets.map(({ failed }) => failed)),
    };
  }

  async stuckRuns(): Promise<readonly string[]> {
    return (await this.#tinybird.pipe<{ run: string }>("stuck_runs")).map(({ run }) => run);
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#child.end(signal);
  }
}

/** Of `revenue_dashboard`. */
interface Hour {
  readonly order_count: number;
  readonly revenue_usd: number;
}

/** Of `failed_steps`. */
interface Bucket {
  readonly attempts: number;
  readonly failed: number;
}

/** ClickHouse writes whole numbers of 64 bits as text. */
function total(figures: readonly (number | string)[]): number {
  return figures.reduce<number>((sum, figure) => sum + Number(figure), 0);
}
