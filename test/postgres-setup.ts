/** One Postgres for a whole test run. Each test takes a schema or a database of its own in it. */
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-server/server.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly databaseUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  project.provide("databaseUrl", server.url);
  return () => server.stop();
}
