export { grantsSql, schemaSql } from "./migrations.ts";
export { migrationPlan } from "./migration-plan.ts";
export type { MigrationPlan } from "./migration-plan.ts";
export { postgres } from "./postgres.ts";
export type { PostgresOptions } from "./postgres.ts";
export { transaction } from "./transaction.ts";
export type { TransactionOptions } from "./transaction.ts";
export { drizzleTx, kyselyTx, prismaTx } from "./tx.ts";
export type { PostgresTx } from "./tx.ts";
