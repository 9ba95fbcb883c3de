/** What opening a store would do to its schema, for people who run DDL themselves. */
import { existsSync, writeFileSync } from "node:fs";
import { StoreError } from "@everstep/core";
import { expect, test } from "vitest";
import { migrationPlan as postgresPlan } from "../src/postgres/index.ts";
import { migrationPlan as sqlitePlan } from "../src/sqlite/index.ts";
import { rejection, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";
import { connect, openStore, tempFile, thrown } from "./sqlite-bed.ts";

test("SQLite: the plan of a file that is not there creates none, and its SQL makes what opening would make", async () => {
  const planned = tempFile();
  const plan = sqlitePlan(planned);
  expect(plan).toMatchObject({ from: 0 });
  expect(existsSync(planned)).toBe(false);

  const schemaOf = (file: string): unknown[] =>
    connect(file).prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all();
  connect(planned).exec(`BEGIN;\n${plan.sql}COMMIT;`);
  const opened = tempFile();
  await openStore(opened).commit({ writes: [start("a")] });
  expect(schemaOf(planned)).toEqual(schemaOf(opened));
  for (const file of [planned, opened])
    expect(sqlitePlan(file)).toEqual({ from: plan.to, to: plan.to, sql: "" });
});

test("SQLite: what is no database, and what is a newer one, is refused", () => {
  const text = tempFile();
  writeFileSync(text, "not a database, but long enough to be looked at".repeat(100));
  expect(thrown(() => sqlitePlan(text))).toBeInstanceOf(StoreError);
  const newer = tempFile();
  openStore(newer);
  connect(newer).exec("UPDATE everstep_meta SET value = '99' WHERE key = 'schema'");
  expect(thrown(() => sqlitePlan(newer)).message).toContain("newer everstep");
});

test("Postgres: the plan of a new schema creates nothing, and its SQL makes what this build needs", async () => {
  const place = new Place();
  const { schema, url } = place;
  const plan = await postgresPlan(url, { schema });
  expect(plan).toMatchObject({ from: 0 });
  expect((await rejection(place.open({ migrate: false }).count({}))).message).toContain("no tables");

  await place.rows(plan.sql);
  expect(await place.open({ migrate: false }).count({})).toBe(0);
  expect(await postgresPlan(url, { schema })).toEqual({ from: plan.to, to: plan.to, sql: "" });
});
