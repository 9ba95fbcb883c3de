/** What `doctor` finds in a SQLite file that is read for long while hundreds of megabytes are written and deleted. */
import SqliteDatabase from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { Onlooker } from "./support/onlooker.ts";

test("log and size: a long read keeps the log from starting over, and a file does not shrink by itself", async () => {
  const onlooker = new Onlooker("sqlite", { now: Date.now() });
  await onlooker.client.runs.list();
  const file = onlooker.url.slice("sqlite:".length);
  const open = (): SqliteDatabase.Database => {
    const db = new SqliteDatabase(file);
    onTestFinished(() => void db.close());
    return db;
  };
  const is = async (check: string): Promise<unknown> => {
    const { out } = await onlooker.look(["doctor", "--json"]);
    return (JSON.parse(out) as { findings: { check: string }[] }).findings.find((one) => one.check === check);
  };
  expect(await is("log")).toMatchObject({ is: "fine" });
  expect(await is("size")).toMatchObject({ is: "fine" });

  const [reader, writer] = [open(), open()];
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM everstep_runs").get();
  writer.exec("CREATE TABLE pictures (bytes BLOB) STRICT");
  for (let at = 0; at < 10; at++) writer.exec("INSERT INTO pictures VALUES (zeroblob(28 * 1024 * 1024))");
  writer.exec("DELETE FROM pictures");
  expect(await is("log")).toEqual({
    check: "log",
    is: "warning",
    found: expect.stringMatching(
      /^the write-ahead log has [23]\d\d MiB: somebody reads in one transaction/,
    ) as string,
    remedy: expect.stringContaining("end it") as string,
  });
  expect(await is("size")).toEqual({
    check: "size",
    is: "warning",
    found: expect.stringMatching(/^the file has 28\d MiB, (99|100) % of it unused$/) as string,
    remedy: expect.stringContaining("run VACUUM") as string,
  });

  reader.exec("COMMIT");
  writer.pragma("wal_checkpoint(TRUNCATE)");
  expect(await is("log")).toMatchObject({ is: "fine" });
  writer.exec("VACUUM");
  expect(await is("size")).toMatchObject({ is: "fine" });
});
