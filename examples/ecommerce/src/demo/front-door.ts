import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { localRequestsOnly } from "../local-requests.ts";

/** One address for whichever processes live: a load balancer, as small as can be. */
export class FrontDoor {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `living`: where one of them listens, undefined while all are down. */
  static async open(living: () => string | undefined): Promise<FrontDoor> {
    const localOnly = localRequestsOnly();
    const server = createServer((request, response) => {
      localOnly(request, response, () => {
        // Nobody is there, or has died over the request: whoever asks comes again.
        forward(request, response, living()).catch(() => response.writeHead(503).end());
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new FrontDoor(server);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  to: string | undefined,
): Promise<void> {
  if (to === undefined) throw new Error("all processes are down");
  const { method = "GET", url = "/", headers } = request;
  const names = ["content-type", "stripe-signature"] as const;
  const passed = names.flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" ? [[name, value] as [string, string]] : [];
  });
  const content = method === "GET" ? {} : { body: await buffer(request) };
  const answer = await fetch(`${to}${url}`, { method, headers: passed, ...content });
  const type = answer.headers.get("content-type") ?? "text/plain";
  const body = Buffer.from(await answer.arrayBuffer());
  response.writeHead(answer.status, { "content-type": type }).end(body);
}
