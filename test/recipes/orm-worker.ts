/** A worker as a process of its own, which lives until it is killed: `node orm-worker.ts <module of the recipe> <file or URL>`. */
import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import { type Store, Worker } from "@everstep/core";
import type { OrmRecipe } from "./shop-bed.ts";

const [module = "", where = ""] = process.argv.slice(2);
const { order } = (await import(module)) as OrmRecipe;
const store: Store = where.startsWith("postgres") ? postgres(where) : sqlite(where);
await new Worker({ store, workflows: [order] }).start();
