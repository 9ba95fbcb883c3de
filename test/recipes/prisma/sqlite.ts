import { FatalError, type StepContext, type Workflow, workflow } from "@everstep/core";
import type { Prisma, PrismaClient } from "./generated/sqlite/client.ts";

/** Commits what `work` writes together with its result, under the step's key: a second attempt finds the result and writes nothing. */
export function once<T>(
  prisma: PrismaClient,
  { idempotencyKey: key }: Pick<StepContext, "idempotencyKey">,
  work: (tx: Prisma.TransactionClient) => Promise<T>,
): Promise<T> {
  return prisma.$transaction(async (tx) => {
    const done = await tx.done.findUnique({ where: { key } });
    if (done !== null) return JSON.parse(done.result) as T;
    const result = await work(tx);
    await tx.done.create({ data: { key, result: JSON.stringify(result) } });
    return result;
  });
}

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const orderWith = (prisma: PrismaClient): Workflow<Wish, number> =>
  workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
    ctx.step("reserve", (step) =>
      once(prisma, step, async (tx) => {
        await tx.order.create({ data: { id: orderId, sku } });
        const isLeft = { sku, left: { gt: 0 } };
        const { count } = await tx.stock.updateMany({ where: isLeft, data: { left: { decrement: 1 } } });
        if (count === 0) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
        return (await tx.stock.findUniqueOrThrow({ where: { sku } })).left;
      }),
    ),
  );

import type { Client } from "@everstep/core";

/** After the commit of a cart, when the program starts, and once a minute: the same id is the same run. */
export async function startPlaced(
  prisma: PrismaClient,
  client: Client,
  order: Workflow<Wish, number>,
): Promise<void> {
  for (const { id, sku } of await prisma.cart.findMany({ where: { started: false } })) {
    await client.start(order, { orderId: id, sku }, { id });
    await prisma.cart.update({ where: { id }, data: { started: true } });
  }
}
