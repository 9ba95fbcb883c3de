// everstep as a peer of a side-by-side harness of durable-execution engines:
//   npm run bench -- --peers dbos,restate,<this folder>/peer.mjs
// The harness reads `info` in a process of its own kind, so everything of everstep is imported in `open`.

/**
 * @typedef {{ step: <T>(name: string, body: () => Promise<T>) => Promise<T>, sleep: (ms: number) => Promise<void> }} PeerContext
 * @typedef {Record<string, (ctx: PeerContext, input: unknown) => Promise<unknown>>} PeerWorkflows
 */

export const info = {
  store: "sqlite",
  packages: [],
  version: "everstep, WAL, synchronous=FULL",
  nodeArgs: ["--conditions=@everstep/source"],
  lease: "15 s; a dead process of the same machine is noticed within a second",
};

const UNFINISHED = /** @type {const} */ (["ready", "running", "waiting", "compensating", "stuck"]);

/** @param {{ file: string, workflows: PeerWorkflows, slots: number }} options */
export async function open({ file, workflows, slots }) {
  const { Client, Worker, workflow } = await import("@everstep/core");
  const { sqlite } = await import("@everstep/adapters/sqlite");
  const { seedFinished } = await import("./seed-finished.ts");
  const { freeRunsOfDeadWorkers } = await import("./dead-workers.ts");
  const store = sqlite(file);
  const client = new Client({ store });
  const definitions = new Map(
    Object.entries(workflows).map(([name, run]) => [
      name,
      workflow({ name }, (ctx, /** @type {unknown} */ input) =>
        run({ step: (step, body) => ctx.step(step, body), sleep: (ms) => ctx.sleep("sleep", ms) }, input),
      ),
    ]),
  );

  /**
   * @param {string} kind
   * @param {unknown} input
   */
  const start = (kind, input) => {
    const definition = definitions.get(kind);
    if (definition === undefined) throw new Error(`no workflow is called ${kind}`);
    return client.start(definition, input);
  };

  return {
    startWorker: () =>
      new Worker({ store, workflows: [...definitions.values()], concurrency: slots }).start(),
    /** @param {string} kind @param {unknown} input */
    run: async (kind, input) => (await start(kind, input)).result(),
    start,
    enqueue: start,
    pending: () => store.count({ status: UNFINISHED }),
    expireLeases: () => freeRunsOfDeadWorkers(file),
    /** @param {number} copies */
    async seed(copies) {
      const { runs } = await client.runs.list({ workflow: "order", status: "completed", limit: 1 });
      seedFinished({ file, template: runs[0]?.id ?? "", copies, seed: 1 });
      return store.count({});
    },
  };
}
