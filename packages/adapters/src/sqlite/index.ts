export { migrationPlan } from "./migrate.ts";
export type { MigrationPlan } from "./migrate.ts";
export { sqlite } from "./sqlite.ts";
export type { SqliteOptions } from "./sqlite.ts";
export { transaction } from "./transaction.ts";
export type { TransactionOptions } from "./transaction.ts";
