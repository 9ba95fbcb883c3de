/** The plans of every statement that a store executes, those inside everstep's functions too, as the server tells them. */
import type { Store } from "@everstep/core";
import { Pool } from "pg";
import { onTestFinished } from "vitest";
import { postgres, type PostgresTx } from "../../src/postgres/index.ts";

/** A node of a plan, as EXPLAIN (FORMAT JSON) has it. */
export interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly "Recheck Cond"?: string;
  readonly Plans?: readonly PlanNode[];
}

interface Explained {
  readonly "Query Text": string;
  readonly Plan: PlanNode;
}

const SETTINGS = [
  "session_preload_libraries=auto_explain",
  "auto_explain.log_min_duration=0",
  "auto_explain.log_nested_statements=on",
  "auto_explain.log_format=json",
  "auto_explain.log_level=log",
  "client_min_messages=log",
];

/** A store whose plans are kept. It polls, so that its pool does all of its work. */
export class ExplainedStore {
  readonly store: Store<PostgresTx>;
  readonly pool: Pool;
  readonly #plans: Explained[] = [];

  constructor(url: string, schema: string) {
    const explaining = new URL(url);
    explaining.searchParams.set("options", SETTINGS.map((setting) => `-c ${setting}`).join(" "));
    this.pool = new Pool({ connectionString: explaining.href, max: 2 });
    this.pool.on("connect", (client) => {
      client.on("notice", ({ message = "" }) => {
        const at = message.indexOf("plan:\n");
        if (at >= 0) this.#plans.push(JSON.parse(message.slice(at + 6)) as Explained);
      });
    });
    this.store = postgres(this.pool, { schema, transactionPooler: true });
    onTestFinished(async () => {
      await this.store.close();
      await this.pool.end();
    });
  }

  /** Of the statements that were executed since it was last asked. */
  plans(): readonly Explained[] {
    return this.#plans.splice(0);
  }
}

export function nodesOf(plan: PlanNode): readonly PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** How a node looks rows up, in short: `runs by runs_due (workflow, version)`; a look at all of them has no columns. */
export function lookUpOf(node: PlanNode): string | undefined {
  const {
    "Node Type": type,
    "Relation Name": table,
    "Index Name": index,
    "Index Cond": condition = "",
  } = node;
  if (type === "Seq Scan") return `${table} all`;
  if (type === "Tid Scan" || type === "Tid Range Scan") return `${table} by place`;
  if (!type.includes("Index")) return undefined;
  // Rows are compared as one: (ROW(created_at, no) < ROW(…)).
  const plain = condition.replace(/ROW\((?:\w+\.)?(\w+), (?:\w+\.)?(\w+)\) [<>] /g, "($1 = ($2 = ");
  const columns = [...plain.matchAll(/\((?:\w+\.)?(\w+) [=<>!]/g)].map(([, column]) => column);
  return `${index} (${[...new Set(columns)].join(", ")})`;
}
