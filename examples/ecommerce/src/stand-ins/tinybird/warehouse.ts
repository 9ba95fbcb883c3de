import type { Datasource } from "./datasource.ts";
import { closeEngine, type EngineSession, openEngine } from "./engine.ts";
import type { QuarantinedRow, Row, SortedRows } from "./events.ts";
import type { Pipe } from "./pipe.ts";
import type { Project } from "./project.ts";

/** As at Tinybird: 64-bit numbers are JSON numbers. */
const JSON_FORMAT = { format: "JSON" } as const;

/** The datasources of a project as tables of a ClickHouse in this process. */
export class Warehouse {
  readonly #engine: EngineSession;

  private constructor(engine: EngineSession) {
    this.#engine = engine;
  }

  static async open(project: Project): Promise<Warehouse> {
    const engine = openEngine();
    for (const datasource of project.datasources.values()) {
      await engine.queryAsync(datasource.createTable, JSON_FORMAT);
      await engine.queryAsync(quarantineTable(datasource), JSON_FORMAT);
    }
    return new Warehouse(engine);
  }

  /** Durable for as long as the process lives: this is a stand-in. */
  async append(datasource: string, { fitting, quarantined }: SortedRows): Promise<void> {
    await this.#insert(datasource, fitting);
    await this.#insert(`${datasource}_quarantine`, quarantined.map(quarantineRow));
  }

  /** What the pipe answers now, as ClickHouse writes JSON, which is as Tinybird answers. */
  async answer(pipe: Pipe, values: Readonly<Record<string, string>>): Promise<string> {
    const answer = await this.#engine.queryBindAsync(pipe.sql, values, JSON_FORMAT);
    return answer.text();
  }

  /** What a SELECT of one's own answers. */
  async select(sql: string): Promise<string> {
    const answer = await this.#engine.queryAsync(`SELECT * FROM (${sql})`, JSON_FORMAT);
    return answer.text();
  }

  close(): Promise<void> {
    return closeEngine(this.#engine);
  }

  async #insert(table: string, rows: readonly (Row | ReturnType<typeof quarantineRow>)[]): Promise<void> {
    if (rows.length === 0) return;
    const values = Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"));
    await this.#engine.insert({ table, values, format: "JSONEachRow" });
  }
}

/** The columns that Tinybird documents for `<datasource>_quarantine`. */
function quarantineTable({ name, columns }: Datasource): string {
  const own = columns.map((column) => `\`${column.name}\` Nullable(String)`);
  const fields = ["c__error_column Array(String)", "c__error Array(String)", ...own];
  return `CREATE TABLE ${name}_quarantine (${fields.join(", ")}, insertion_date DateTime DEFAULT now())
    ENGINE = MergeTree ORDER BY insertion_date`;
}

function quarantineRow({ values, columns, problems }: QuarantinedRow): object {
  return { ...values, c__error_column: columns, c__error: problems };
}
