// What peer.mjs and peer-postgres.mjs have in common. A harness of engines reads their `info` in a process of its own kind, so
// everything of everstep is imported in `open`.

/**
 * @typedef {{ step: <T>(name: string, body: () => Promise<T>) => Promise<T>, sleep: (ms: number) => Promise<void> }} PeerContext
 * @typedef {Record<string, (ctx: PeerContext, input: unknown) => Promise<unknown>>} PeerWorkflows
 * @typedef {{ address: string, workflows: PeerWorkflows, slots: number }} PeerPlace
 */

export const nodeArgs = ["--conditions=@everstep/source"];

const UNFINISHED = /** @type {const} */ (["ready", "running", "waiting", "compensating", "stuck"]);

/**
 * @param {import("./database.ts").DatabaseName} name
 * @param {PeerPlace} place
 */
export async function openEverstep(name, { address, workflows, slots }) {
  const { Client, Worker, workflow } = await import("@everstep/core");
  const { databaseNamed } = await import("./database.ts");
  const database = await databaseNamed(name);
  const store = database.open(address);
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
    /** Calls made at the same time share commits: there is no other bulk call. @param {string} kind @param {unknown[]} inputs */
    enqueueMany: (kind, inputs) => Promise.all(inputs.map((input) => start(kind, input))),
    pending: () => store.count({ status: UNFINISHED }),
    expireLeases: () => database.freeRunsOfDeadWorkers(address),
    /** @param {number} copies */
    async seed(copies) {
      const { runs } = await client.runs.list({ workflow: "order", status: "completed", limit: 1 });
      await database.seedFinished(address, { template: runs[0]?.id ?? "", copies, seed: 1 });
      return store.count({});
    },
  };
}
