import { transaction } from "@everstep/adapters/postgres";
import { FatalError, workflow } from "@everstep/core";
import { PrismaPg } from "@prisma/adapter-pg";
import { type ClientBase, Pool, type QueryConfig } from "pg";
import { PrismaClient } from "./generated/postgres/client.ts";

/** What Prisma sends for transactions of its own, as it has to be inside of everstep's. */
const NESTED: Readonly<Record<string, string>> = {
  BEGIN: "SAVEPOINT prisma",
  COMMIT: "RELEASE SAVEPOINT prisma",
  ROLLBACK: "ROLLBACK TO SAVEPOINT prisma",
};

/** The one connection of an open transaction, which Prisma can neither release nor close. */
function lend(connection: ClientBase): Pool {
  const query = (config: QueryConfig) =>
    connection.query({ ...config, text: NESTED[config.text] ?? config.text });
  const lent = { query, on: () => lent, removeListener: () => lent, release: () => {} };
  return Object.assign(new Pool(), { query, connect: () => Promise.resolve(lent) }) as unknown as Pool;
}

async function withPrisma<T>(connection: ClientBase, work: (prisma: PrismaClient) => Promise<T>): Promise<T> {
  const prisma = new PrismaClient({ adapter: new PrismaPg(lend(connection)) });
  try {
    return await work(prisma);
  } finally {
    await prisma.$disconnect();
  }
}

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const order = workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
  transaction(ctx, "reserve", (connection) =>
    withPrisma(connection, async (prisma) => {
      await prisma.order.create({ data: { id: orderId, sku } });
      const isLeft = { sku, left: { gt: 0 } };
      const { count } = await prisma.stock.updateMany({ where: isLeft, data: { left: { decrement: 1 } } });
      if (count === 0) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
      return (await prisma.stock.findUniqueOrThrow({ where: { sku } })).left;
    }),
  ),
);

import { postgres, prismaTx } from "@everstep/adapters/postgres";
import { Client } from "@everstep/core";

export function openShop(url: string): { place(wish: Wish): Promise<void>; close(): Promise<void> } {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
  const store = postgres(url);
  const client = new Client({ store });

  return {
    place: (wish) =>
      prisma.$transaction(async (tx) => {
        await tx.cart.create({ data: { id: wish.orderId } });
        await client.start(order, wish, { id: wish.orderId, tx: prismaTx(tx) });
      }),
    async close() {
      await store.close();
      await prisma.$disconnect();
    },
  };
}
