import { describe, expect, onTestFinished, test } from "vitest";
import { Child } from "../src/demo/child.ts";
import { startMailServer } from "../src/stand-ins/mail/mail-server.ts";
import { emptyDatabase, emptyPostgresDatabase, ENGINES } from "./empty-database.ts";
import { lampOrder } from "./open-shop.ts";
import { openedFiguresInbox } from "./figures-inbox.ts";
import { openedClient } from "./open-tables.ts";
import { simulatedStripe } from "./simulated-stripe.ts";

/** Processes are started here, beside all other tests: a loaded machine takes its time. */
const WAIT_MS = 15_000;

/** From the shop's own catalogue. */
const mug = { items: [{ productId: "mug", quantity: 1, price: 1_250 }] };

async function startedService(env: Readonly<Record<string, string>>): Promise<Child> {
  // Nobody waits long for an answer that the simulator holds back.
  const patience = { STRIPE_TIMEOUT_MS: "3000" };
  const service = await Child.start("service.ts", { env: { PORT: "0", ...patience, ...env } });
  onTestFinished(async () => void (await service.end("SIGKILL")));
  return service;
}

async function sent(service: Child, orderId: string): Promise<void> {
  await fetch(`http://127.0.0.1:${service.port}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(lampOrder(orderId, mug)),
  });
}

async function expectCompleted(service: Child, orderId: string): Promise<void> {
  const order = async (): Promise<unknown> =>
    (await fetch(`http://127.0.0.1:${service.port}/orders/${orderId}`)).json();
  await expect.poll(order, { timeout: WAIT_MS }).toMatchObject({ status: "completed" });
}

describe("a service", { timeout: 2 * WAIT_MS }, () => {
  test.for(ENGINES)("on %s serves, sends mails and figures, and ends on SIGTERM", async (engine) => {
    const [{ port }, figures, mail] = await Promise.all([
      simulatedStripe(),
      openedFiguresInbox(),
      startMailServer(),
    ]);
    onTestFinished(() => mail.close());
    const service = await startedService({
      ...(await emptyDatabase(engine)),
      STRIPE_SIMULATOR_PORT: String(port),
      SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}`,
      TINYBIRD_URL: figures.url,
    });
    await sent(service, "o-1");
    await expectCompleted(service, "o-1");
    await expect.poll(mail.mails, { timeout: WAIT_MS }).toMatchObject([{ subject: "Your order o-1" }]);
    await expect.poll(() => figures.rows["orders"], { timeout: WAIT_MS }).toBe(1);
    await expect.poll(() => figures.rows["run_events"], { timeout: WAIT_MS }).toBeGreaterThan(5);
    expect([await service.end("SIGTERM"), service.complaints]).toEqual([0, ""]);
  });

  test("on Postgres goes on with the order in whose middle another one was killed", async () => {
    const simulator = await simulatedStripe();
    const env = { ...(await emptyDatabase("Postgres")), STRIPE_SIMULATOR_PORT: String(simulator.port) };
    const doomed = await startedService(env);
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "hold-reply" });
    await sent(doomed, "o-1");
    await simulator.held;
    await doomed.end("SIGKILL");
    const other = await startedService(env);
    await expectCompleted(other, "o-1");
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
  });

  test("on Postgres outlives the loss of all its connections", async () => {
    const simulator = await simulatedStripe();
    const url = await emptyPostgresDatabase();
    const service = await startedService({ STORE: url, STRIPE_SIMULATOR_PORT: String(simulator.port) });
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "hold-reply" });
    await sent(service, "o-1");
    await simulator.held;
    const client = await openedClient(url);
    const others =
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM (${others})`);
    expect(rowCount).toBeGreaterThan(0);
    await expectCompleted(service, "o-1");
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
    expect(await service.end("SIGTERM")).toBe(0);
  });

  test.for([
    [{ STORE: "mysql://localhost" }, "STORE is sqlite, or postgres"],
    [{ STORE: "postgres", DATABASE_URL: "" }, "DATABASE_URL"],
  ] as const)("refuses to start with %o", async ([env, complaint]) => {
    await expect(startedService(env)).rejects.toThrow(complaint);
  });
});
