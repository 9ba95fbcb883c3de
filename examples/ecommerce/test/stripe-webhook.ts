import { Stripe } from "stripe";

export const webhookSecret = "whsec_test";

export interface Signing {
  readonly secret?: string | undefined;
  /** In seconds since 1970: when it was signed. */
  readonly timestamp?: number | undefined;
}

/** Sends a webhook to the shop at `url` as Stripe would; answers the status. */
export async function postWebhook(
  url: string,
  payload: string,
  { secret = webhookSecret, timestamp = Math.floor(Date.now() / 1000) }: Signing = {},
): Promise<number> {
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  const headers = { "content-type": "application/json", "stripe-signature": signature };
  const response = await fetch(`${url}/webhooks/stripe`, { method: "POST", headers, body: payload });
  return response.status;
}
