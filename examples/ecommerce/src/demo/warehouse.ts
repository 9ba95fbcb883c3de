import type { WarehouseSums } from "../books/evidence.ts";

/** Where the shop's figures go. */
export interface Warehouse {
  /** Of the service, and of the page for operations. */
  readonly env: Readonly<Record<"TINYBIRD_URL" | "TINYBIRD_APPEND_TOKEN" | "TINYBIRD_READ_TOKEN", string>>;
  /** Whether the pipes of `tinybird/` answer: on a real ClickHouse, or not at all. */
  readonly hasPipes: boolean;
  /** The next request is told to come later, and the one after it is carried out and gets no answer. */
  trouble(): Promise<void>;
  sums(): Promise<WarehouseSums>;
  /** The runs that need a person, as the page for operations lists them. */
  stuckRuns(): Promise<readonly string[]>;
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Both stand-ins take them. */
export const TOKENS = { TINYBIRD_APPEND_TOKEN: "local_append", TINYBIRD_READ_TOKEN: "local_read" } as const;
