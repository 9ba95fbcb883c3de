import { defineConfig } from "vitest/config";

/** Packages run from their sources: no build comes before a test. */
const source = "@everstep/source";

const slow = "**/*.slow.test.ts";
/** A real Postgres for all tests of the run. */
const globalSetup = "test/postgres-setup.ts";
/** Leases that run out for real: too long for `npm run check`. */
const sweeps = ["packages/adapters/test/*-conformance.test.ts"];
/** They use all cores, or build the packages: they come last and have the machine to themselves. */
const alone = [
  "test/proof/**/*.slow.test.ts",
  "test/tutorial/*.slow.test.ts",
  "test/packages.slow.test.ts",
  "packages/core/test/**/*.slow.test.ts",
];
/** A busy machine makes a test slow, not wrong; what hangs still fails. */
const patient = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } };
const never = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  resolve: { conditions: [source] },
  ssr: { resolve: { conditions: [source, "module", "node", "development|production"] } },
  test: {
    globalSetup,
    ...patient,
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
          name: "processes",
          include: [slow],
          exclude: [...never, ...alone],
          // Processes that are started, killed and waited for: two files at a time leave none of them hungry.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "slow",
          include: alone,
          exclude: never,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
