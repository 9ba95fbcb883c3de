import type { Worker } from "@everstep/core";

const here = globalThis as typeof globalThis & { worker?: Worker };

export async function register(): Promise<void> {
  // Compiled for the edge as well, where there are no native modules: so nothing is imported before this line.
  if (process.env["NEXT_RUNTIME"] === "nodejs") {
    const [{ Worker }, { everstep }, { order }] = await Promise.all([
      import("@everstep/core"),
      import("./lib/everstep.ts"),
      import("./lib/order.ts"),
    ]);
    await here.worker?.stop();
    here.worker = new Worker({ store: everstep().store, workflows: [order], stopOn: ["SIGTERM"] });
    await here.worker.start();
  }
}
