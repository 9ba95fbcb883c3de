import { onTestFinished } from "vitest";
import { ENGINE_ADVICE, engineIsInstalled, installEngine } from "../src/stand-ins/tinybird/engine.ts";
import { startTinybird, type TinybirdServerOptions } from "../src/stand-ins/tinybird/tinybird-server.ts";
import { Tinybird } from "../src/tinybird.ts";

// Who runs the tests of the repository has not asked for its 180 MB; a robot does not mind.
if (!engineIsInstalled() && process.env["CI"] !== undefined) await installEngine();

/** Whether there is a ClickHouse for the stand-in. Without, tests that need one are skipped, and say so. */
export const hasEngine: boolean = engineIsInstalled();

if (!hasEngine) console.warn(`Skipped without ClickHouse; to have it: ${ENGINE_ADVICE}`);

export interface LocalTinybird {
  readonly url: string;
  readonly writer: Tinybird;
  readonly reader: Tinybird;
  /** The rows that a SELECT answers, whatever the pipes make of them. */
  readonly query: (sql: string) => Promise<readonly object[]>;
  readonly cause: (kind: "rate-limit" | "down" | "lose-reply", times: number) => Promise<void>;
}

/** A stand-in with empty tables, for one test. */
export async function localTinybird(options: TinybirdServerOptions = {}): Promise<LocalTinybird> {
  const server = await startTinybird(options);
  onTestFinished(() => server.close());
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    writer: new Tinybird({ url, token: "local_append" }),
    reader: new Tinybird({ url, token: "local_read" }),
    query: async (sql) => {
      const answer = await fetch(`${url}/_sim/query`, { method: "POST", body: sql });
      return ((await answer.json()) as { readonly data: readonly object[] }).data;
    },
    cause: async (kind, times) => {
      await fetch(`${url}/_sim/trouble`, { method: "POST", body: JSON.stringify({ kind, times }) });
    },
  };
}
