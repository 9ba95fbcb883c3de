/** Opens the store that is meant. Drivers are loaded when they are needed: most of a command's start is theirs. */
import { pathToFileURL } from "node:url";
import type { MigrationPlan } from "@everstep/adapters/sqlite";
import type { Client, Codec, Store } from "@everstep/core";
import { CommandError } from "../failure.ts";
import type { Location } from "./location.ts";

export interface OpenStore {
  readonly store: Store;
  readonly client: Client;
}

/** A store that is there: looking creates and migrates nothing. */
export async function openStore(location: Location, codecPath: string | undefined): Promise<OpenStore> {
  const [{ Client }, store, codec] = await Promise.all([
    import("@everstep/core"),
    openDriver(location, { isMade: true }),
    codecPath === undefined ? undefined : loadCodec(codecPath),
  ]);
  return { store, client: new Client({ store, ...(codec === undefined ? {} : { codec }) }) };
}

/** `isMade`: it must be there. Else it is created or migrated with its first use. */
export async function openDriver(
  location: Location,
  { isMade }: { readonly isMade: boolean },
): Promise<Store> {
  if (location.kind === "sqlite") {
    const { sqlite } = await loading("better-sqlite3", () => import("@everstep/adapters/sqlite"));
    return sqlite(location.file, { mustExist: isMade, migrate: !isMade });
  }
  const { url, schema, transactionPooler } = location;
  const { postgres } = await loading("pg", () => import("@everstep/adapters/postgres"));
  return postgres(url, {
    migrate: !isMade,
    ...(schema === undefined ? {} : { schema }),
    ...(transactionPooler === undefined ? {} : { transactionPooler }),
  });
}

export async function planMigration(location: Location): Promise<MigrationPlan> {
  if (location.kind === "sqlite") {
    const { migrationPlan } = await loading("better-sqlite3", () => import("@everstep/adapters/sqlite"));
    return migrationPlan(location.file);
  }
  const { url, schema } = location;
  const { migrationPlan } = await loading("pg", () => import("@everstep/adapters/postgres"));
  return migrationPlan(url, schema === undefined ? {} : { schema });
}

async function loading<T>(driver: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, driver)) throw error;
    throw new CommandError(
      "DRIVER_MISSING",
      `this store needs ${driver}, which is not installed here: npm install ${driver}`,
      undefined,
      { cause: error },
    );
  }
}

function isMissing(error: unknown, driver: string): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND" &&
    error.message.includes(`'${driver}'`)
  );
}

export async function loadCodec(path: string): Promise<Codec> {
  const { codec } = await importOf(path);
  if (typeof codec === "object" && codec !== null) return codec;
  throw new CommandError("CODEC_MISSING", `${path} does not export \`codec\``);
}

async function importOf(path: string): Promise<{ readonly codec?: Codec }> {
  try {
    return (await import(pathToFileURL(path).href)) as { readonly codec?: Codec };
  } catch (error) {
    throw new CommandError(
      "CODEC_MISSING",
      `the codec's module ${path} could not be loaded: ${String(error)}`,
      undefined,
      { cause: error },
    );
  }
}
