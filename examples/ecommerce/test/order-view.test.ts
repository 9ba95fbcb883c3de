import { RunCanceledError, type RunHandle } from "@everstep/core";
import { expect, test } from "vitest";
import type { Receipt } from "../src/order-request.ts";
import { viewOf } from "../src/order-view.ts";

const receipt: Receipt = { orderId: "o-1", chargeId: "ch_1", status: "completed" };

function canceledRun(): RunHandle<Receipt> {
  const result = (): Promise<Receipt> => Promise.reject(new RunCanceledError("o-1", "too late"));
  return { id: "o-1", status: async () => "canceled", result } as unknown as RunHandle<Receipt>;
}

test("an order that was canceled behind its point of no return stands, and its customer is told so", async () => {
  const orders = { receipt: async () => receipt };
  expect(await viewOf({ run: canceledRun(), orders })).toEqual(receipt);
});

test("one that was canceled before is canceled", async () => {
  const orders = { receipt: async () => undefined };
  expect(await viewOf({ run: canceledRun(), orders })).toEqual({ orderId: "o-1", status: "canceled" });
});
