import { Stripe } from "stripe";
import { onTestFinished } from "vitest";
import type { FaultInput } from "../src/stand-ins/stripe/faults.ts";
import type { Operation } from "../src/stand-ins/stripe/stripe-account.ts";
import { startStripeServer } from "../src/stand-ins/stripe/stripe-server.ts";
import type { WebhookTarget } from "../src/stand-ins/stripe/webhooks.ts";

export interface SimulatedStripe {
  readonly port: number;
  /** A client of its own, without the SDK's retries. */
  readonly stripe: Stripe;
  readonly held: Promise<string>;
  readonly fault: (fault: FaultInput) => Promise<void>;
  readonly forgetKeys: () => Promise<void>;
  /** From now on it sends its webhooks there. */
  readonly sendWebhooks: (target: WebhookTarget) => Promise<void>;
  /** From now on every answer takes so long. */
  readonly slowDown: (ms: number) => Promise<void>;
  /** Every operation that was executed, and the kinds of them. */
  readonly ledger: () => Promise<readonly Operation[]>;
  readonly executed: () => Promise<readonly Operation["kind"][]>;
}

/** A simulator for one test. */
export async function simulatedStripe(): Promise<SimulatedStripe> {
  const held = Promise.withResolvers<string>();
  const server = await startStripeServer({ onHeld: held.resolve });
  onTestFinished(() => server.close());
  const url = `http://127.0.0.1:${server.port}/_sim`;
  const post = async (path: string, body: unknown): Promise<void> => {
    const response = await fetch(`${url}/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  };
  const ledger = async (): Promise<readonly Operation[]> => {
    const { operations } = (await (await fetch(`${url}/ledger`)).json()) as { operations: Operation[] };
    return operations;
  };
  return {
    port: server.port,
    stripe: clientOf(server.port),
    held: held.promise,
    fault: (fault) => post("faults", fault),
    forgetKeys: () => post("forget-keys", {}),
    sendWebhooks: (target) => post("webhooks", target),
    slowDown: (ms) => post("latency", { ms }),
    executed: async () => (await ledger()).map(({ kind }) => kind),
    ledger,
  };
}

export function clientOf(port: number, apiKey = "sk_test_local"): Stripe {
  return new Stripe(apiKey, {
    host: "127.0.0.1",
    port,
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
  });
}
