/** Opens the store that is meant. Drivers are loaded when they are needed: most of a command's start is theirs. */
import { pathToFileURL } from "node:url";
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
    openDriver(location),
    codecPath === undefined ? undefined : loadCodec(codecPath),
  ]);
  return { store, client: new Client({ store, ...(codec === undefined ? {} : { codec }) }) };
}

async function openDriver(location: Location): Promise<Store> {
  if (location.kind === "sqlite") {
    const { sqlite } = await loading("better-sqlite3", () => import("@everstep/adapters/sqlite"));
    return sqlite(location.file, { mustExist: true, migrate: false });
  }
  const { url, schema, transactionPooler } = location;
  const { postgres } = await loading("pg", () => import("@everstep/adapters/postgres"));
  return postgres(url, {
    migrate: false,
    ...(schema === undefined ? {} : { schema }),
    ...(transactionPooler === undefined ? {} : { transactionPooler }),
  });
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

async function loadCodec(path: string): Promise<Codec> {
  const { codec } = (await import(pathToFileURL(path).href)) as { readonly codec?: Codec };
  if (typeof codec === "object" && codec !== null) return codec;
  throw new CommandError("CODEC_MISSING", `${path} does not export \`codec\``);
}
