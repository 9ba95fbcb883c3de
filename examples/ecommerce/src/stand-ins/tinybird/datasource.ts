import { columnReader, type ColumnReader } from "./column.ts";
import { DatafileError, type Section, sectionsOf, type Token, tokenIn, unquoted } from "./datafile.ts";

export interface Datasource {
  readonly name: string;
  readonly tokens: readonly Token[];
  readonly columns: readonly Column[];
  /** The ClickHouse table that it is. */
  readonly createTable: string;
}

interface Column {
  readonly name: string;
  /** Where its value is in a JSON row. */
  readonly path: readonly string[];
  readonly type: string;
  readonly read: ColumnReader;
}

/** What a `.datasource` file says. Throws a `DatafileError` for what the stand-in can't do. */
export function datasourceOf(name: string, text: string): Datasource {
  const tokens: Token[] = [];
  const said = new Map<string, string>();
  for (const section of sectionsOf(text)) {
    if (section.directive === "TOKEN") tokens.push(tokenIn(section.value));
    else said.set(section.directive, known(section).value);
  }
  const columns = columnsIn(said.get("SCHEMA") ?? "");
  return { name, tokens, columns, createTable: createTable(name, columns, said) };
}

const DIRECTIVES = new Set([
  "DESCRIPTION",
  "SCHEMA",
  "ENGINE",
  "ENGINE_PARTITION_KEY",
  "ENGINE_SORTING_KEY",
  "ENGINE_TTL",
  "ENGINE_VER",
]);

function known(section: Section): Section {
  if (DIRECTIVES.has(section.directive)) return section;
  throw new DatafileError(`the stand-in does not know ${section.directive} of a datasource`);
}

function columnsIn(schema: string): readonly Column[] {
  const lines = schema.split("\n").map((line) => line.trim().replace(/,$/, ""));
  return lines.map((line) => {
    const [, name = "", type = "", path] = /^`(\w+)` (\S+) `json:\$\.([\w.]+)`$/.exec(line) ?? [];
    if (path === undefined) throw new DatafileError(`the stand-in does not understand the column ${line}`);
    return { name, type, path: path.split("."), read: columnReader(type) };
  });
}

const ENGINES = new Set(["MergeTree", "ReplacingMergeTree"]);

function createTable(name: string, columns: readonly Column[], said: ReadonlyMap<string, string>): string {
  const of = (directive: string): string => unquoted(said.get(directive) ?? "");
  const engine = of("ENGINE");
  if (!ENGINES.has(engine)) throw new DatafileError(`the stand-in does not know the engine ${engine}`);
  const clauses = [
    `CREATE TABLE ${name} (${columns.map((column) => `\`${column.name}\` ${column.type}`).join(", ")})`,
    `ENGINE = ${engine}(${of("ENGINE_VER")})`,
    ...clause("PARTITION BY", of("ENGINE_PARTITION_KEY")),
    `ORDER BY (${of("ENGINE_SORTING_KEY")})`,
    ...clause("TTL", of("ENGINE_TTL")),
  ];
  return clauses.join(" ");
}

function clause(words: string, value: string): readonly string[] {
  return value === "" ? [] : [`${words} ${value}`];
}
