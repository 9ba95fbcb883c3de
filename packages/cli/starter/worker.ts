import { sqlite } from "@everstep/adapters/sqlite";
import { Worker } from "@everstep/core";
import { order } from "./workflows.ts";

/** What runs in production: as many of these processes as you like, on one database. */
const worker = new Worker({
  store: sqlite("everstep.db"),
  workflows: [order],
  stopOn: ["SIGTERM", "SIGINT"],
});
await worker.start();
console.log("the worker is ready; Ctrl-C stops it");
