/** `--dry-run` of every command that changes runs leaves the database as it is: compared table by table. */
import { workflow } from "@everstep/core";
import Database from "better-sqlite3";
import { Client as Connection } from "pg";
import { describe, expect, test } from "vitest";
import { KINDS, Operator } from "./support/operator.ts";
import { importShownRuns } from "./support/shown-runs.ts";

const TYPED: readonly (readonly string[])[] = [
  ["resume", "--all"],
  ["pause", "--all"],
  ["pause", "--workflow", "order"],
  ["retry", "--all"],
  ["rewind", "order-1", "--to", "charge"],
  ["fork", "order-3", "--from", "charge", "--id", "order-3-b"],
  ["resolve", "order-3", "charge", "--result", "1"],
  ["skip", "--step", "charge", "--status", "stuck"],
  ["cancel", "--all"],
  ["cancel", "order-3", "--no-compensate"],
  ["purge", "--all"],
  ["signal", "order-3", "approval", "1"],
  ["start", "kept", "1", "--id", "kept-1"],
  ["emit", "cart:checked-out", "1", "--id", "1"],
];

const kept = workflow({ name: "kept", on: "cart:checked-out" }, (ctx) => ctx.waitForSignal("go"));

/** All rows of all tables of everstep, as text. */
async function contentOf({ url }: Operator): Promise<string> {
  if (url.startsWith("sqlite:")) {
    const db = new Database(url.slice("sqlite:".length), { readonly: true });
    const names = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    const tables = names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).raw().all()]);
    db.close();
    return JSON.stringify(tables);
  }
  const schema = new URL(url).searchParams.get("schema") ?? "";
  const connection = new Connection(url);
  await connection.connect();
  const { rows } = await connection.query<{ readonly content: string }>(
    "SELECT schema_to_xml($1::name, true, false, '')::text AS content",
    [schema],
  );
  await connection.end();
  return rows.map(({ content }) => content).join("");
}

describe.each(KINDS)("on %s", (kind) => {
  test("nothing is changed", async () => {
    const operator = new Operator(kind);
    await importShownRuns(operator.client);
    const worker = await operator.worker(kept);
    await worker.stop();
    const before = await contentOf(operator);
    expect(before).toContain("order-3");
    for (const words of TYPED) {
      const { code, err } = await operator.type([...words, "--dry-run"]);
      expect({ words, code, err }).toEqual({ words, code: 0, err: "" });
      expect(await contentOf(operator), `typed ${words.join(" ")}`).toBe(before);
    }
  });
});
