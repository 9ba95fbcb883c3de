import { Child } from "./child.ts";
import { ClickHouseProcess } from "./clickhouse-process.ts";
import { MailProcess } from "./mail-process.ts";
import { RowCounter } from "./row-counter.ts";
import { StripeProcess } from "./stripe-process.ts";
import type { Warehouse } from "./warehouse.ts";

/** Whom the shop works with: none of them is killed, and each has troubles of its own. */
export interface Neighbours {
  readonly stripe: StripeProcess;
  readonly mail: MailProcess;
  readonly warehouse: Warehouse;
  /** The page for operations; undefined without pipes that it could show. */
  readonly page: Child | undefined;
  end(): Promise<void>;
}

/** Starts them all. `figures`: whether ClickHouse is there. */
export async function startNeighbours({ figures }: { readonly figures: boolean }): Promise<Neighbours> {
  const started: (() => Promise<unknown>)[] = [];
  const end = async (): Promise<void> => void (await Promise.all(started.map((stop) => stop())));
  const noted = async <Part extends { end(signal: "SIGTERM"): Promise<unknown> }>(
    part: Promise<Part>,
  ): Promise<Part> => {
    const living = await part;
    started.push(() => living.end("SIGTERM"));
    return living;
  };
  const withPage = async (): Promise<Pick<Neighbours, "warehouse" | "page">> => {
    if (!figures) return { warehouse: await noted(RowCounter.start()), page: undefined };
    const warehouse = await noted(ClickHouseProcess.start());
    const env = { ...warehouse.env, PORT: "0" };
    return { warehouse, page: await noted(Child.start("operations/main.ts", { env })) };
  };
  // All of them have started or failed before any is ended.
  const [stripe, mail, rest] = await Promise.allSettled([
    noted(StripeProcess.start()),
    noted(MailProcess.start()),
    withPage(),
  ]);
  if (stripe.status === "fulfilled" && mail.status === "fulfilled" && rest.status === "fulfilled")
    return { stripe: stripe.value, mail: mail.value, ...rest.value, end };
  await end();
  throw [stripe, mail, rest].find((part) => part.status === "rejected")?.reason;
}
