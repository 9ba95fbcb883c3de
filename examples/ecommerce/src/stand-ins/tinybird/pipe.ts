import { DatafileError, sectionsOf, type Token, tokenIn } from "./datafile.ts";
import { type Parameter, templateOf } from "./template.ts";

export interface Pipe {
  readonly name: string;
  readonly tokens: readonly Token[];
  /** Of its endpoint, with the nodes before it as what it selects from. */
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

interface Node {
  readonly name: string;
  sql: string;
}

/** What a `.pipe` file with an endpoint says. Throws a `DatafileError` for what the stand-in can't do. */
export function pipeOf(name: string, text: string): Pipe {
  const tokens: Token[] = [];
  const nodes: Node[] = [];
  let type: string | undefined;
  for (const { directive, value } of sectionsOf(text)) {
    const node = nodes.at(-1);
    if (directive === "TOKEN") tokens.push(tokenIn(value));
    else if (directive === "NODE") nodes.push({ name: value, sql: "" });
    else if (directive === "SQL" && node !== undefined) node.sql = value;
    else if (directive === "TYPE") type = value.toLowerCase();
    else if (directive !== "DESCRIPTION")
      throw new DatafileError(`the stand-in does not know ${directive} of a pipe`);
  }
  if (type !== "endpoint") throw new DatafileError("the stand-in serves pipes of TYPE endpoint, at the end");
  return { name, tokens, ...joined(nodes) };
}

/** The last node is the endpoint; each may select from those before it. */
function joined(nodes: readonly Node[]): Pick<Pipe, "sql" | "parameters"> {
  const templates = nodes.map(({ name, sql }) => ({ name, ...templateOf(sql) }));
  const endpoint = templates.at(-1);
  if (endpoint === undefined || endpoint.sql === "") throw new DatafileError("there is no node with SQL");
  if (!/^SELECT\b/i.test(endpoint.sql)) throw new DatafileError("the endpoint must begin with SELECT");
  const before = templates.slice(0, -1).map(({ name, sql }) => `${name} AS (${sql})`);
  return {
    sql: before.length === 0 ? endpoint.sql : `WITH ${before.join(", ")} ${endpoint.sql}`,
    parameters: templates.flatMap(({ parameters }) => parameters),
  };
}
