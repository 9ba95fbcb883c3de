import { Client } from "pg";
import type { RawDriver } from "../database.ts";
import { rowOutput } from "../raw-rate.ts";

const INSERT_ONE = {
  name: "raw-one",
  text: "INSERT INTO raw_text_steps (run, seq, name, output) VALUES ($1, $2, $3, $4)",
};
const insertMany = (type: string): { readonly name: string; readonly text: string } => ({
  name: `raw-many-${type}`,
  text: `INSERT INTO raw_${type}_steps (run, seq, name, output)
    SELECT $1, * FROM unnest($2::int[], $3::text[], $4::${type}[])`,
});
const INSERT_MANY = insertMany("text");
const INSERT_MANY_JSONB = insertMany("jsonb");

/** Tables of its own in the store's database; prepared statements, each its own transaction, over one connection. */
export async function rawPostgres(url: string): Promise<RawDriver> {
  const client = new Client(url);
  await client.connect();
  for (const type of ["text", "jsonb"]) {
    const columns = `run text, seq int, name text, output ${type}, PRIMARY KEY (run, seq)`;
    await client.query(`CREATE TABLE raw_${type}_steps (${columns})`);
  }
  const output = rowOutput();
  let commits = 0;
  const insert = async (
    statement: { readonly name: string; readonly text: string },
    row: readonly unknown[],
  ): Promise<void> => {
    commits += 1;
    await client.query({ ...statement, values: [`run-${commits}`, ...row] });
  };
  return {
    commit: (rows) =>
      rows === 1 ? insert(INSERT_ONE, [0, "charge", output]) : insert(INSERT_MANY, columns(rows, output)),
    commitJsonb: (rows) => insert(INSERT_MANY_JSONB, columns(rows, output)),
    untilSteady: async (act) => void (await act()),
    roundTrip: () => client.query({ name: "raw-nothing", text: "SELECT 1", values: [] }),
    close: async () => {
      await client.query("DROP TABLE raw_text_steps, raw_jsonb_steps");
      await client.end();
    },
  };
}

function columns(rows: number, output: string): unknown[][] {
  const all = Array.from({ length: rows });
  return [all.map((_, seq) => seq), all.map(() => "charge"), all.map(() => output)];
}
