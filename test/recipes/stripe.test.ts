import { FatalError, type StepContext } from "@everstep/core";
import { crashTest } from "@everstep/core/testing";
import { expect, test } from "vitest";
import { type Outside, purchaseWith } from "./stripe.ts";

type Step = Pick<StepContext, "idempotencyKey">;

/** As honest as Stripe: it knows its keys, and an intent is charged once. */
class Bank {
  readonly opened = new Map<string, string>();
  readonly charged: string[] = [];
  readonly refunded: string[] = [];

  async open(_: unknown, { idempotencyKey }: Step): Promise<string> {
    const id = this.opened.get(idempotencyKey) ?? `pi_${this.opened.size + 1}`;
    this.opened.set(idempotencyKey, id);
    return id;
  }

  async charge(intentId: string): Promise<"succeeded"> {
    if (!this.charged.includes(intentId)) this.charged.push(intentId);
    return "succeeded";
  }

  async look(): Promise<"succeeded"> {
    return "succeeded";
  }

  async giveBack(intentId: string): Promise<void> {
    if (this.charged.includes(intentId) && !this.refunded.includes(intentId)) this.refunded.push(intentId);
  }
}

class World implements Outside {
  readonly payments = new Bank();
  readonly warehouse: Outside["warehouse"];

  constructor(ship: () => Promise<void>) {
    this.warehouse = { ship };
  }
}

const input = { orderId: "42", cents: 1999, paymentMethodId: "pm_card_visa" };

test("a purchase is charged once, whatever crashes", async () => {
  await crashTest(purchaseWith, {
    input,
    world: () => new World(async () => {}),
    invariant: ({ world, status }) => {
      expect(status).toBe("completed");
      expect(world.payments.charged).toEqual(["pi_1"]);
    },
  });
});

test("what can't be shipped is refunded, whatever crashes", async () => {
  const soldOut = async (): Promise<never> => {
    throw new FatalError("sold out");
  };
  await crashTest(purchaseWith, {
    input,
    world: () => new World(soldOut),
    invariant: ({ world, status }) => {
      expect(status).toBe("failed");
      expect(world.payments.refunded).toEqual(world.payments.charged);
    },
  });
});
