import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import express, { type Express, type Response } from "express";
import { localRequestsOnly } from "../local-requests.ts";
import { FiguresFeed, type Pipes } from "./figures-feed.ts";

export interface OperationsOptions {
  /** With a token that may read the pipes. It stays here: the browser never sees it. */
  readonly tinybird: Pipes;
  /** 0: any free one. */
  readonly port: number;
  /** How often the pipes are read while somebody watches; default 1 s. */
  readonly everyMs?: number;
  /** The names under which a proxy passes requests on, beside those of this machine; default none. */
  readonly hosts?: readonly string[];
}

export interface Operations {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Serves the page for operations at `/`, to this machine only, and not to what pages of other sites ask for on it. However many watch it, the pipes are read once a second, and not at
 * all while nobody does. It knows Tinybird and nothing else: the shop doesn't notice whether the page is there.
 */
export async function startOperations({
  tinybird,
  port,
  everyMs = 1000,
  hosts,
}: OperationsOptions): Promise<Operations> {
  const feed = new FiguresFeed(tinybird, everyMs);
  const server = createServer(createPage(feed, hosts)).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const PAGE = own("page.html");
const OWN = [
  "page.css",
  "icon.svg",
  "chart.js",
  "charts.js",
  "command-line.js",
  "condition.js",
  "lists.js",
  "live.js",
  "main.js",
  "markup.js",
  "plot.js",
  "view.js",
  "wording.js",
];

/** All files there are: no path of a request ever becomes one of the disk. */
const FILES: Readonly<Record<string, string>> = {
  "/": PAGE,
  ...Object.fromEntries(OWN.map((name) => [`/${name}`, own(name)])),
  "/vendor/htm.js": installed("htm"),
  "/vendor/preact.js": installed("preact"),
  "/vendor/uplot.js": installed("uplot/dist/uPlot.esm.js"),
  "/vendor/uplot.css": installed("uplot/dist/uPlot.min.css"),
};

function own(name: string): string {
  return fileURLToPath(new URL(`page/${name}`, import.meta.url));
}

/** The file that an import of it would load: an ES module, as a browser wants it. */
function installed(name: string): string {
  return fileURLToPath(import.meta.resolve(name));
}

function createPage(feed: FiguresFeed, hosts: readonly string[] | undefined): Express {
  const page = express();
  page.disable("x-powered-by");
  page.use(localRequestsOnly(hosts));
  page.use((_request, response, next) => {
    response.set(HEADERS);
    next();
  });
  for (const [path, file] of Object.entries(FILES)) {
    page.get(path, (_request, response) => {
      // A package's real path may have a folder with a dot, such as pnpm's.
      response.sendFile(file, { dotfiles: "allow", cacheControl: false });
    });
  }
  page.get("/live", (_request, response) => stream(feed, response));
  return page;
}

/** Server-sent events: one snapshot each, whole, so that one that is missed does not matter. */
function stream(feed: FiguresFeed, response: Response): void {
  response.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write("retry: 1000\n\n");
  const leave = feed.watch((snapshot) => {
    // Who reads too slowly gets the next one.
    if (!response.writableNeedDrain) response.write(`data: ${JSON.stringify(snapshot)}\n\n`);
  });
  response.once("close", leave);
}

/** The page loads what is served here, runs no script but the files above and its own import map, and nobody frames it. */
const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": [
    "default-src 'none'",
    `script-src 'self' '${hashOfImportMap(readFileSync(PAGE, "utf8"))}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

function hashOfImportMap(html: string): string {
  const [, script = ""] = /<script type="importmap">([^]*?)<\/script>/.exec(html) ?? [];
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}
