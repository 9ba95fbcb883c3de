/** A program whose worker stops on signals: `node stop-signals-child.ts <grace>`. Its run is in a body that ends when it is aborted. */
import { Client, Worker, workflow } from "../../src/index.ts";
import { memoryStore } from "../../src/testing/index.ts";

const say = (what: string): boolean => process.stdout.write(`${what}\n`);
const ignore = (): void => {};
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

const slow = workflow({ name: "slow" }, (ctx) =>
  ctx.step("slow", ({ signal }) => {
    say("began");
    return new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(void say("aborted")));
    });
  }),
);
const store = memoryStore();
const stopGrace = process.argv[2] ?? "";
const worker = new Worker({ store, workflows: [slow], logger, stopOn: ["SIGTERM", "SIGINT"], stopGrace });
await worker.start();
await new Client({ store }).start(slow, undefined);
