/** Which store is meant: what the command line says, else the environment, else a file of the project. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { usageError } from "../failure.ts";
import type { Io } from "../io.ts";

export type Location =
  | { readonly kind: "sqlite"; readonly file: string; readonly name: string }
  | {
      readonly kind: "postgres";
      readonly url: string;
      readonly schema: string | undefined;
      readonly transactionPooler: boolean | undefined;
      /** As it may be shown: without the password. */
      readonly name: string;
    };

/** What a project says once, so that nobody has to say it again. */
interface Config {
  readonly store?: string | undefined;
  readonly codec?: string | undefined;
  /** Relative paths in it are relative to this. */
  readonly directory: string;
}

export interface StoreOptions {
  readonly store?: string;
  readonly codec?: string;
}

const CONFIG_FILE = "everstep.config.json";
const FILE_MAX_BYTES = 1024 * 1024;

export function locate(options: StoreOptions, io: Pick<Io, "cwd" | "env">): Location {
  const said = options.store ?? io.env["EVERSTEP_STORE"];
  if (said !== undefined && said !== "") return parseLocation(said, io.cwd);
  const config = configOf(io.cwd);
  if (config?.store !== undefined)
    return parseLocation(fromEnvironment(config.store, io.env), config.directory);
  throw usageError(
    `no store was named: give --store shop.db or --store postgres://…, set EVERSTEP_STORE, or write { "store": "shop.db" } to ${CONFIG_FILE}`,
  );
}

/** Options that name the store and the codec as the command line did, for one that is to be pasted; a password is not repeated. */
export function namedStore({ store, codec }: StoreOptions): readonly string[] {
  return [
    ...(store === undefined ? [] : ["--store", hasPassword(store) ? "<url>" : store]),
    ...(codec === undefined ? [] : ["--codec", codec]),
  ];
}

function hasPassword(store: string): boolean {
  if (!URL.canParse(store)) return false;
  const { password, searchParams } = new URL(store);
  return password !== "" || [...searchParams.keys()].some((name) => /pass|key/i.test(name));
}

/** The path of a module that exports `codec`, for stores whose values are sealed. */
export function locateCodec(options: StoreOptions, io: Pick<Io, "cwd" | "env">): string | undefined {
  const said = options.codec ?? io.env["EVERSTEP_CODEC"];
  if (said !== undefined && said !== "") return resolve(io.cwd, said);
  const config = configOf(io.cwd);
  return config?.codec === undefined ? undefined : resolve(config.directory, config.codec);
}

/** `shop.db`, `sqlite:shop.db`, `postgres://user@host/db?schema=everstep&pooler=transaction`. */
export function parseLocation(text: string, directory: string): Location {
  if (/^postgres(?:ql)?:/.test(text)) return parsePostgres(text);
  const file = text.startsWith("sqlite:") ? text.slice("sqlite:".length) : text;
  if (/^[a-z][a-z0-9+.-]+:/i.test(file) && !/^[a-z]:[\\/]/i.test(file))
    throw usageError(
      `a store is a SQLite file (shop.db, sqlite:shop.db) or postgres://…, and this begins with ${JSON.stringify(file.slice(0, file.indexOf(":") + 1))}`,
    );
  if (file === "" || file.includes("\0")) throw usageError(`${JSON.stringify(text)} is no path of a file`);
  const path = resolve(directory, file);
  return { kind: "sqlite", file: path, name: path };
}

const POOLERS: Readonly<Record<string, boolean>> = { transaction: true, session: false };

function parsePostgres(text: string): Location {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    throw usageError("the store's postgres:// URL can't be read (it is not shown: it may hold a password)");
  const schema = url.searchParams.get("schema") ?? undefined;
  const pooler = url.searchParams.get("pooler") ?? undefined;
  if (pooler !== undefined && !Object.hasOwn(POOLERS, pooler))
    throw usageError(`pooler is transaction or session, not ${JSON.stringify(pooler)}`);
  // They are everstep's; a driver would take them for settings of the server.
  for (const own of ["schema", "pooler"]) url.searchParams.delete(own);
  const port = url.port === "" ? "" : `:${url.port}`;
  return {
    kind: "postgres",
    url: url.href,
    schema,
    transactionPooler: pooler === undefined ? undefined : POOLERS[pooler],
    name: `postgres://${url.hostname}${port}${url.pathname} schema ${schema ?? "everstep"}`,
  };
}

/** `env:DATABASE_URL`: a secret does not belong into a file of the project. */
function fromEnvironment(text: string, env: Io["env"]): string {
  if (!text.startsWith("env:")) return text;
  const value = env[text.slice("env:".length)];
  if (value === undefined || value === "")
    throw usageError(
      `${CONFIG_FILE} says that the store is in the variable ${text.slice("env:".length)}, which is not set`,
    );
  return value;
}

/** Of the nearest directory, upwards, that has one. */
function configOf(cwd: string): Config | undefined {
  for (let directory = resolve(cwd); ; directory = dirname(directory)) {
    const config = configIn(directory);
    if (config !== undefined) return config;
    if (directory === dirname(directory)) return undefined;
  }
}

function configIn(directory: string): Config | undefined {
  const own = readJson(join(directory, CONFIG_FILE));
  const section = own ?? readJson(join(directory, "package.json"))?.["everstep"];
  if (typeof section !== "object" || section === null) return undefined;
  const { store, codec } = section as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries({ store, codec }))
    if (value !== undefined && typeof value !== "string")
      throw usageError(
        `${join(directory, own === undefined ? "package.json" : CONFIG_FILE)}: ${name} is a text`,
      );
  return { store: store as string | undefined, codec: codec as string | undefined, directory };
}

function readJson(path: string): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  try {
    if (text.length > FILE_MAX_BYTES) throw new Error(`it has more than ${FILE_MAX_BYTES} characters`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw usageError(`${path} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
