import type { IncomingMessage, ServerResponse } from "node:http";

/** The names of what listens on 127.0.0.1 and nowhere else. */
const OWN = ["127.0.0.1", "localhost"];

/**
 * What keeps web pages from a server that listens on 127.0.0.1 and asks nobody for a password. That a request comes from this machine says
 * little: so do those of any page in a browser on it. Before anything is done, it refuses
 *
 * - with 421 what is meant for another host. A page can have the name of its own site lead to 127.0.0.1 (DNS rebinding), and would read
 *   the answers as if they were its site's.
 * - with 403 what a page of another site sends. Such a page can't read the answer, but what it posts would be done. A browser names the
 *   page's origin with all but GET, so a GET must change nothing.
 *
 * `hosts` are more names that are meant: those under which a proxy passes requests on.
 */
export function localRequestsOnly(
  hosts: readonly string[] = [],
): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  return ({ headers: { host = "", origin } }, response, next) => {
    if (![...OWN, ...hosts].includes(nameIn(host))) return refuse(response, 421, "wrong_host", host);
    if (origin !== undefined && !isOwn(origin, host, hosts))
      return refuse(response, 403, "wrong_origin", origin);
    return next();
  };
}

/** Of the variable ALLOWED_HOSTS: names with commas between them. */
export function hostsIn(list: string | undefined): string[] {
  return (list ?? "").split(/[\s,]+/).filter((name) => name !== "");
}

function nameIn(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}

/** A page on another port of this machine is another site's as well. */
function isOwn(origin: string, host: string, hosts: readonly string[]): boolean {
  const page = URL.parse(origin);
  return page !== null && (page.host === host.toLowerCase() || hosts.includes(page.hostname));
}

function refuse(response: ServerResponse, status: number, error: string, name: string): void {
  const message = `This server answers requests to itself, on this machine; ${JSON.stringify(name)} is not among its names.`;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error, message }));
}
