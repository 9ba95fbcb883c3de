/**
 * A stand-in for a Tinybird workspace: it takes rows at the Events API and serves pipes, by running the very datafiles that one
 * deploys on a real ClickHouse in this process.
 *
 * Owns: HTTP, tokens, limits, troubles. Does not own: datafiles (project.ts), whether a row fits (events.ts), SQL (warehouse.ts).
 *
 * 1. What it does not know of Tinybird's formats is refused when it starts, by name: it never guesses.
 * 2. What a caller sends reaches ClickHouse as data, never as SQL.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { localRequestsOnly } from "../../local-requests.ts";
import type { Datasource } from "./datasource.ts";
import { rowsIn, sorted } from "./events.ts";
import { HttpError } from "./http-error.ts";
import type { Pipe } from "./pipe.ts";
import { type Project, readProject } from "./project.ts";
import { bodyOf } from "./request-body.ts";
import { REQUESTS_MAX, RequestRate } from "./request-rate.ts";
import { ParameterError, valuesFor } from "./template.ts";
import { Trouble, Troubles } from "./trouble.ts";
import { Warehouse } from "./warehouse.ts";

export interface TinybirdServerOptions {
  /** Default: one that is free. */
  readonly port?: number;
  /** Of the datafiles; default: those of this repository. */
  readonly folder?: string;
  /** The clock of the rate limit, in milliseconds. */
  readonly now?: () => number;
}

export interface TinybirdServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The tokens that the datafiles name, as Tinybird would make them up. */
const TOKENS: Readonly<Record<string, string>> = { local_append: "shop_append", local_read: "shop_read" };

const DOCUMENTATION = "https://www.tinybird.co/docs/api-reference";

/** The engine has to be installed (engine.ts). One at a time in a process. */
export async function startTinybird(options: TinybirdServerOptions = {}): Promise<TinybirdServer> {
  const folder = options.folder ?? fileURLToPath(new URL("../../../../../tinybird", import.meta.url));
  const project = readProject(folder);
  const warehouse = await Warehouse.open(project);
  const workspace = new Workspace(project, warehouse, options.now ?? Date.now);
  const localOnly = localRequestsOnly();
  const server = createServer((request, response) => {
    localOnly(request, response, () => {
      // A caller that hangs up half-way through its request has asked for nothing.
      workspace.serve(request, response).catch(() => response.destroy());
    });
  });
  // Loopback only: its tokens are known to everybody.
  await new Promise<void>((done, fail) => {
    server.once("error", fail).listen(options.port ?? 0, "127.0.0.1", done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await close(server);
      await warehouse.close();
    },
  };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

class Workspace {
  readonly #project: Project;
  readonly #warehouse: Warehouse;
  readonly #rate = new RequestRate();
  readonly #troubles = new Troubles();
  readonly #now: () => number;

  constructor(project: Project, warehouse: Warehouse, now: () => number) {
    this.#project = project;
    this.#warehouse = warehouse;
    this.#now = now;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://tinybird");
    try {
      const body = await bodyOf(request);
      await this.#route(`${request.method} ${url.pathname}`, { request, url, body, response });
    } catch (error) {
      const { status, message, headers } = refusalOf(error);
      send(response, status, JSON.stringify({ error: message, documentation: DOCUMENTATION }), headers);
    }
  }

  async #route(wish: string, call: Call): Promise<void> {
    if (wish === "POST /v0/events") return this.#events(call);
    const [, pipe] = /^GET \/v0\/pipes\/(\w+)\.json$/.exec(wish) ?? [];
    if (pipe !== undefined) return this.#pipe(pipe, call);
    if (wish.includes(" /_sim/")) return this.#control(wish, call);
    throw new HttpError(404, `The stand-in does not know ${wish}`);
  }

  async #events({ request, url, body, response }: Call): Promise<void> {
    const name = url.searchParams.get("name");
    if (name === null || name === "") throw new HttpError(400, "The parameter name is missing");
    const datasource = allowed(this.#project.datasources.get(name), "APPEND", name, tokenOf(request, url));
    const headers = this.#withinLimit(name);
    const trouble = this.#troubles.take();
    if (trouble === "rate-limit") throw tooMany(headers);
    if (trouble === "down") throw new HttpError(503, "The database is not available", { "retry-after": "1" });
    const rows = sorted(datasource, rowsIn(body));
    const written = this.#warehouse.append(name, rows);
    const wait = url.searchParams.get("wait") === "true";
    // Without `wait`, whether it is ever written is not the caller's to know.
    if (wait || trouble === "lose-reply") await written;
    else written.catch((error: unknown) => console.error(error));
    if (trouble === "lose-reply") return void response.destroy();
    const counts = { successful_rows: rows.fitting.length, quarantined_rows: rows.quarantined.length };
    return send(response, wait ? 200 : 202, JSON.stringify(counts), headers);
  }

  #withinLimit(name: string): Readonly<Record<string, string>> {
    const { allowed, remaining, resetSeconds } = this.#rate.take(name, this.#now());
    const headers = {
      "x-ratelimit-limit": String(REQUESTS_MAX),
      "x-ratelimit-remaining": String(remaining),
      "x-ratelimit-reset": String(resetSeconds),
    };
    if (!allowed) throw tooMany(headers);
    return headers;
  }

  async #pipe(name: string, { request, url, response }: Call): Promise<void> {
    const pipe = allowed(this.#project.pipes.get(name), "READ", name, tokenOf(request, url));
    const values = valuesFor(pipe.parameters, url.searchParams);
    return send(response, 200, await this.#warehouse.answer(pipe, values).catch(refused));
  }

  /** Not Tinybird's: how a test or the demo looks into the tables and causes trouble. */
  async #control(wish: string, { body, response }: Call): Promise<void> {
    switch (wish) {
      case "POST /_sim/trouble":
        this.#troubles.add(Trouble.parse(JSON.parse(body)));
        return send(response, 200, "{}");
      case "POST /_sim/query":
        return send(response, 200, await this.#warehouse.select(body).catch(refused));
      default:
        throw new HttpError(404, `The stand-in does not know ${wish}`);
    }
  }
}

interface Call {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly body: string;
  readonly response: ServerResponse;
}

/** The name of the token that the caller shows, in the header or in the URL. */
function tokenOf(request: IncomingMessage, url: URL): string {
  const [, bearer] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  const name = TOKENS[bearer ?? url.searchParams.get("token") ?? ""];
  if (name === undefined) throw new HttpError(403, "The token is not valid");
  return name;
}

/** The resource, when the token may do that with it. */
function allowed<T extends Datasource | Pipe>(
  resource: T | undefined,
  scope: "APPEND" | "READ",
  name: string,
  token: string,
): T {
  if (resource === undefined) throw new HttpError(404, `There is no ${name} in this workspace`);
  if (resource.tokens.some((one) => one.name === token && one.scope === scope)) return resource;
  throw new HttpError(403, `The token ${token} may not ${scope} ${name}`);
}

function tooMany(headers: Readonly<Record<string, string>>): HttpError {
  return new HttpError(429, "Too many requests: retry after a second", { ...headers, "retry-after": "1" });
}

function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const asked =
    error instanceof ParameterError || error instanceof SyntaxError || error instanceof z.ZodError;
  return new HttpError(asked ? 400 : 500, message);
}

/** What ClickHouse refuses of a query is the caller's mistake, for the datafiles are tested: such as an interval of zero seconds. */
function refused(error: unknown): never {
  throw new HttpError(400, error instanceof Error ? error.message : String(error));
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(text);
}
