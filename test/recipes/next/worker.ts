import { Worker } from "@everstep/core";
import { everstep } from "./lib/everstep.ts";
import { order } from "./lib/order.ts";

const worker = new Worker({ store: everstep().store, workflows: [order], stopOn: ["SIGTERM", "SIGINT"] });
await worker.start();
