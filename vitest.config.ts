import { defineConfig } from "vitest/config";

/** Packages run from their sources: no build comes before a test. */
const source = "@everstep/source";

const slow = "**/*.slow.test.ts";
/** A real Postgres for all tests of the run. */
const globalSetup = "test/postgres-setup.ts";
/** Leases that run out for real: too long for `npm run check`. */
const sweeps = ["packages/adapters/test/*-conformance.test.ts"];
const never = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  resolve: { conditions: [source] },
  ssr: { resolve: { conditions: [source, "module", "node", "development|production"] } },
  test: {
    globalSetup,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...never, slow, ...sweeps],
          maxWorkers: "100%",
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "sweeps",
          include: sweeps,
          exclude: never,
          maxWorkers: "100%",
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "slow",
          include: [slow],
          exclude: never,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Real processes that are killed and timed: they come last and have the machine to themselves.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
