/** Payments through the real SDK, loaded by the first one: processes that are killed young start faster without it. */
import type { StepContext } from "@everstep/core";
import type { Payments } from "@everstep/example-ecommerce/payments";
import { PRICE_CENTS } from "./steps.ts";

/** What the bodies of a paid run do. */
export interface Till {
  /** Answers the payment's id; no money has moved. */
  open(run: string, step: StepContext): Promise<string>;
  /** Answers the charge's id. */
  charge(payment: string, step: StepContext): Promise<string>;
  /** Answers the same. */
  giveBack(payment: string, step: StepContext): Promise<string>;
}

export function payments(simulatorPort: number): Till {
  let loading: Promise<Payments> | undefined;
  const load = async (): Promise<Payments> => {
    const { Payments, connectStripe } = await import("@everstep/example-ecommerce/payments");
    return new Payments(connectStripe({ simulatorPort }));
  };
  const loaded = (): Promise<Payments> => (loading ??= load());
  return {
    open: async (orderId, step) => {
      const items = [{ productId: "tea", quantity: 1, price: PRICE_CENTS }];
      const request = { orderId, userId: "chaos", items, paymentMethodId: "pm_card_visa" };
      return (await loaded()).open(request, step);
    },
    charge: async (payment, step) => {
      const charge = await (await loaded()).charge(payment, step);
      if (charge === null) throw new Error(`payment ${payment} is still under way`);
      return charge;
    },
    giveBack: async (payment, step) => {
      await (await loaded()).giveBack(payment, step);
      return payment;
    },
  };
}
