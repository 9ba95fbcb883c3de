import { Client, escapeIdentifier } from "pg";
import type { Copying } from "../database.ts";

/** Not in order: an index on ids is to grow everywhere, as it does with ids of users. */
const SCATTER = 2_654_435_761;

/** Writes the tables of the adapter directly, so it is to be adapted with them. */
export async function seedFinished(url: string, { template, copies, seed }: Copying): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ no: string; last: string }>(
      "SELECT no, (SELECT max(no) FROM everstep.runs) AS last FROM everstep.runs WHERE id = $1",
      [template],
    );
    const [found] = rows;
    if (found === undefined) throw new Error(`there is no run ${template} to copy`);
    const no = `${found.last} + copy.no`;
    const id = `format('%s-%s-%s', ${seed}, lpad((copy.no * ${SCATTER} % 10000000000)::text, 10, '0'), copy.no)`;
    await client.query("SET synchronous_commit = off");
    await client.query("BEGIN");
    await copy(client, { table: "runs", key: "no", run: found.no, copies, changed: { no, id } });
    await copy(client, { table: "journal", key: "run", run: found.no, copies, changed: { run: no } });
    await client.query(
      "SELECT setval(pg_get_serial_sequence('everstep.runs', 'no'), max(no)) FROM everstep.runs",
    );
    await client.query("COMMIT");
    // What autovacuum would have done while they ended one by one; else it would begin now, beside the measurement.
    await client.query("VACUUM (ANALYZE) everstep.runs, everstep.journal");
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}

interface Rows {
  readonly table: string;
  readonly key: string;
  readonly run: string;
  readonly copies: number;
  readonly changed: Readonly<Record<string, string>>;
}

async function copy(client: Client, { table, key, run, copies, changed }: Rows): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [`everstep.${table}`],
  );
  const columns = rows.map(({ name }) => escapeIdentifier(name));
  const values = rows.map(({ name }) => changed[name] ?? `source.${escapeIdentifier(name)}`);
  await client.query(
    `INSERT INTO everstep.${table} (${columns.join()}) OVERRIDING SYSTEM VALUE
     SELECT ${values.join()} FROM generate_series(1::bigint, $1) AS copy (no), everstep.${table} AS source
     WHERE source.${key} = $2`,
    [copies, run],
  );
}
