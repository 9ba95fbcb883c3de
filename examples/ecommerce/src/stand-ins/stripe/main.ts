/**
 * The local stand-in for Stripe as a process of its own: it outlives every kill of the service, as Stripe would.
 *
 *     node src/stand-ins/stripe/main.ts [port]
 */
import { startStripeServer } from "./stripe-server.ts";

const { port } = await startStripeServer({
  port: Number(process.argv[2] ?? 0),
  onHeld: (orderId) => process.send?.({ held: orderId }),
});

process.send?.({ listening: port });
if (process.send === undefined) console.log(`Stripe simulator: http://127.0.0.1:${port}`);

// Started by another process: don't outlive it.
process.on("disconnect", () => process.exit());
