/**
 * A stand-in for api.stripe.com, honest where it matters to a caller that may die: keys replay, conflict and forget as Stripe's
 * do; a request that has begun is executed even when its caller is gone; an intent that is being worked on is locked.
 *
 * Owns: HTTP, authentication, faults. Does not own: money (stripe-account.ts), keys (idempotency-keys.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { localRequestsOnly } from "../../local-requests.ts";
import { Fault, Faults, Latency } from "./faults.ts";
import { IdempotencyKeys, type Reply, replyOf } from "./idempotency-keys.ts";
import { type Answer, failed, newId, type Refund, StripeAccount } from "./stripe-account.ts";
import { Webhooks, WebhookTarget } from "./webhooks.ts";

export interface StripeServerOptions {
  /** Default: one that is free. */
  readonly port?: number;
  /** Told when a `hold-reply` has executed what it holds the reply of. */
  readonly onHeld?: (orderId: string) => void;
}

export interface StripeServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Call {
  readonly operation: "create" | "retrieve" | "confirm" | "cancel" | "refund";
  readonly intentId: string | undefined;
  readonly form: URLSearchParams;
}

export async function startStripeServer(options: StripeServerOptions = {}): Promise<StripeServer> {
  const desk = new Desk(options.onHeld ?? (() => undefined));
  const localOnly = localRequestsOnly();
  const server = createServer((request, response) => {
    localOnly(request, response, () => {
      // A caller that hangs up half-way through its request has asked for nothing.
      desk.serve(request, response).catch(() => response.destroy());
    });
  });
  // Loopback only: this stand-in takes any test key.
  await new Promise<void>((done) => server.listen(options.port ?? 0, "127.0.0.1", done));
  return { port: (server.address() as AddressInfo).port, close: () => close(server, desk) };
}

function close(server: Server, desk: Desk): Promise<void> {
  desk.close();
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

/** How long a refund looks well that fails in the end. At Stripe it is days. */
const REFUND_FAILS_MS = 50;

class Desk {
  readonly #webhooks = new Webhooks();
  readonly #account = new StripeAccount((type, about) => this.#webhooks.send(type, about));
  readonly #keys = new IdempotencyKeys();
  readonly #faults = new Faults();
  readonly #locked = new Set<string>();
  readonly #onHeld: (orderId: string) => void;
  /** Of what Stripe is still at. */
  readonly #timers = new Set<NodeJS.Timeout>();
  #latencyMs = 0;

  constructor(onHeld: (orderId: string) => void) {
    this.#onHeld = onHeld;
  }

  /** What is under way stays so. */
  close(): void {
    this.#webhooks.close();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = new URL(request.url ?? "/", "http://stripe");
    const body = await text(request);
    if (path.startsWith("/_sim/")) return this.#control(`${request.method} ${path}`, body, response);
    if (this.#latencyMs > 0) await delay(this.#latencyMs);
    if (request.headers.authorization?.startsWith("Bearer sk_test_") !== true) {
      return send(
        response,
        replyOf(failed(401, { type: "invalid_request_error", message: "Invalid API Key provided" })),
      );
    }
    const call = callOf(
      request.method ?? "",
      path,
      request.method === "GET" ? searchParams : new URLSearchParams(body),
    );
    if (call === undefined) {
      const message = `Unrecognized request URL (${request.method}: ${path}).`;
      return send(response, replyOf(failed(404, { type: "invalid_request_error", message })));
    }
    return this.#answer(
      call,
      { key: request.headers["idempotency-key"], fingerprint: `${path} ${body}` },
      response,
    );
  }

  async #answer(
    call: Call,
    { key, fingerprint }: { readonly key: string | string[] | undefined; readonly fingerprint: string },
    response: ServerResponse,
  ): Promise<void> {
    if (call.operation === "retrieve") return send(response, replyOf(this.#execute(call)));
    const orderId = this.#orderOf(call);
    const fault = this.#faults.take(call.operation, orderId);
    if (fault?.kind === "refuse-connection") return void response.destroy();
    if (fault?.kind === "rate-limit")
      return send(response, replyOf(tooMany("rate_limit", "Too many requests")));
    const execute = (): Promise<Answer> => this.#executeLocked(call, fault);
    const reply =
      typeof key === "string" ? await this.#keys.run(key, fingerprint, execute) : replyOf(await execute());
    if (fault?.kind === "drop-reply") return void response.destroy();
    if (fault?.kind === "hold-reply") return this.#onHeld(orderId);
    return send(response, reply);
  }

  /** One change of an intent at a time, as at Stripe, so that a slow confirmation can't be canceled under its feet. */
  async #executeLocked(call: Call, fault: Fault | undefined): Promise<Answer> {
    const lock = call.intentId;
    if (lock !== undefined && this.#locked.has(lock)) {
      const message =
        "This object cannot be accessed right now because another API request is currently accessing it.";
      return { ...tooMany("lock_timeout", message), rejected: true };
    }
    if (lock !== undefined) this.#locked.add(lock);
    try {
      if (fault?.kind === "slow") await delay(fault.ms);
      if (fault?.kind === "refuse") return refused();
      if (fault?.kind === "process") return this.#process(call, fault);
      const trouble = failed(500, { type: "api_error", message: "An unknown error occurred" });
      if (fault?.kind === "fail") return trouble;
      const answer = this.#execute(call);
      return fault?.kind === "fail-after" ? trouble : answer;
    } finally {
      if (lock !== undefined) this.#locked.delete(lock);
    }
  }

  #process({ intentId = "", form }: Call, { ms }: Fault): Answer {
    this.#later(ms, () => this.#account.settle(intentId));
    return this.#account.process(intentId, form);
  }

  #refund(form: URLSearchParams): Answer {
    const answer = this.#account.refund(form);
    const { body } = answer;
    if (isRefund(body)) this.#later(REFUND_FAILS_MS, () => this.#account.settleRefund(body));
    return answer;
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #execute({ operation, intentId = "", form }: Call): Answer {
    const account = this.#account;
    const work: Readonly<Record<Call["operation"], () => Answer>> = {
      create: () => account.create(form),
      retrieve: () => account.retrieve(intentId, form),
      confirm: () => account.confirm(intentId, form),
      cancel: () => account.cancel(intentId),
      refund: () => this.#refund(form),
    };
    return work[operation]();
  }

  #orderOf({ intentId, form }: Call): string {
    if (intentId === undefined) return form.get("metadata[order_id]") ?? "";
    return this.#account.intent(intentId)?.metadata["order_id"] ?? "";
  }

  /** Not Stripe's: how a test or the demo reads the ledger and causes trouble. */
  #control(wish: string, body: string, response: ServerResponse): void {
    switch (wish) {
      case "GET /_sim/ledger":
        return send(response, {
          status: 200,
          text: JSON.stringify({ operations: this.#account.operations }),
          replayed: false,
        });
      case "POST /_sim/faults":
        this.#faults.add(Fault.parse(JSON.parse(body)));
        break;
      case "POST /_sim/webhooks":
        this.#webhooks.aim(WebhookTarget.parse(JSON.parse(body)));
        break;
      case "POST /_sim/latency":
        this.#latencyMs = Latency.parse(JSON.parse(body)).ms;
        break;
      case "POST /_sim/forget-keys":
        this.#keys.forget();
        break;
      default:
        return send(response, { status: 404, text: "{}", replayed: false });
    }
    return send(response, { status: 200, text: "{}", replayed: false });
  }
}

function callOf(method: string, path: string, form: URLSearchParams): Call | undefined {
  if (method === "POST" && path === "/v1/payment_intents")
    return { operation: "create", intentId: undefined, form };
  if (method === "POST" && path === "/v1/refunds") {
    return { operation: "refund", intentId: form.get("payment_intent") ?? "", form };
  }
  const [, intentId, change] = /^\/v1\/payment_intents\/(pi_\w+)(?:\/(confirm|cancel))?$/.exec(path) ?? [];
  if (intentId === undefined) return undefined;
  if (method === "GET" && change === undefined) return { operation: "retrieve", intentId, form };
  if (method === "POST" && (change === "confirm" || change === "cancel"))
    return { operation: change, intentId, form };
  return undefined;
}

function isRefund(body: Answer["body"]): body is Refund {
  return "object" in body && body.object === "refund";
}

function refused(): Answer {
  const message = "You have insufficient funds in your Stripe account for this transaction.";
  return failed(400, { type: "invalid_request_error", code: "balance_insufficient", message });
}

function tooMany(code: string, message: string): Answer {
  return failed(429, { type: "invalid_request_error", code, message });
}

function send(response: ServerResponse, { status, text, replayed }: Reply): void {
  const headers = { "content-type": "application/json", "request-id": newId("req") };
  response.writeHead(status, replayed ? { ...headers, "idempotent-replayed": "true" } : headers);
  response.end(text);
}
