/** `migrate`: the store's schema, brought to what this build needs; or what that would take. */
import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, StorelessWork } from "../frame.ts";
import { addPathOption, type PathOptions } from "../input/session-json.ts";
import { writeConfined } from "../input/confined-path.ts";
import { locate } from "../store/location.ts";

interface Options extends PathOptions {
  readonly apply?: boolean;
  readonly sql?: boolean | string;
}

interface MigrateDocument {
  readonly operation: "migrate";
  readonly store: string;
  /** The schema's version; 0: there are no tables of everstep. */
  readonly from: number;
  /** That of this build. */
  readonly to: number;
  readonly applied: boolean;
  /** Where the SQL was written. */
  readonly file: string | null;
}

export function addMigrate(program: Command, frame: Frame): void {
  const command = program
    .command("migrate")
    .summary("what the store's schema lacks; --apply brings it up to date, --sql prints the SQL")
    .description(
      "Says what the store's schema lacks for this build, and changes nothing unless --apply is given. A worker does the same when it starts, unless it was told not to.",
    )
    .option("--apply", "create or migrate the tables now")
    .option(
      "--sql [file]",
      "the statements, for whoever may change the schema; into a new file, or standard output",
    );
  addPathOption(command).action(frame.withoutStore<Options>(migrate));
  withExamples(command, [
    ["migrate", "the plan"],
    ["migrate --apply", "create or migrate the tables"],
    ["migrate --sql migration.sql", "for the owner of the database to run"],
  ]);
}

const migrate: StorelessWork<Options> = async ({ out, io, options }) => {
  const location = locate(options, io);
  const { openDriver, planMigration } = await import("../store/open.ts");
  const { from, to, sql } = await planMigration(location);
  if (options.sql === true) {
    // The statements and nothing else, so that they can be piped into psql or sqlite3.
    io.stdout.write(sql);
    return;
  }
  const file =
    typeof options.sql === "string"
      ? await writeConfined(options.sql, sql, { cwd: io.cwd, forced: options.forcePath })
      : null;
  const applied = options.apply === true && from !== to;
  if (applied) {
    const store = await openDriver(location, { isMade: false });
    try {
      // Where opening connects to nothing yet, the first use migrates.
      await store.count({ ids: [] });
    } finally {
      await store.close();
    }
  }
  const document: MigrateDocument = {
    operation: "migrate",
    store: location.name,
    from,
    to,
    applied,
    file,
  };
  out.show(document, (shown) => `${shown.store}: ${textOf(shown)}\n`);
};

function textOf({ from, to, applied, file }: MigrateDocument): string {
  const written = file === null ? "" : `; the SQL is in ${file}`;
  if (from === to) return `its schema is of version ${to}, as this build needs it${written}`;
  const what =
    from === 0 ? `the tables of everstep, version ${to}` : `its schema from version ${from} to version ${to}`;
  if (applied) return from === 0 ? `created ${what}` : `migrated ${what}`;
  const would = from === 0 ? `would create ${what}` : `would migrate ${what}`;
  return `${would}; nothing was changed${written === "" ? " (--apply does it, --sql prints the SQL)" : written}`;
}
