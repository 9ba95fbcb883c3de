/** Mistakes with the transactions of workflows: where they begin, and what becomes of them. */
import { inFile, type Mutant } from "./mutant.ts";

export const OF_TRANSACTIONS: readonly Mutant[] = [
  ...inFile("runtime/body-runner.ts", [
    [
      "begins a transaction before what ended beside it is durable",
      "exhaustive",
      "L1",
      "if (body.transact !== undefined && !machine.journal.allDurable) return;",
      "",
    ],
    [
      "begins other bodies while a transaction is under way",
      "exhaustive",
      "I6",
      "if (body === undefined || this.holding) return;",
      "if (body === undefined) return;",
    ],
    [
      "records at once what ends beside a transaction",
      "series",
      "L1",
      "if (this.holding) this.#deferred.push(change);\n    else this.#change(change);",
      "this.#change(change);",
    ],
    [
      "forgets what ended beside a transaction",
      "series",
      "L1",
      "for (const change of this.#deferred.splice(0)) this.#change(change);",
      "this.#deferred.length = 0;",
    ],
    [
      "takes a transaction whose answer was lost for failed",
      "series",
      "L1",
      "if (error instanceof StoreUnavailableError || error instanceof StoreError)\n      return this.#run.storeLost(error);",
      "",
    ],
    [
      "tries a transaction again that failed for good",
      "series",
      "L1",
      "error instanceof FatalError ||\n      error instanceof SerializationError ||",
      "error instanceof SerializationError ||",
    ],
  ]),
  ...inFile("runtime/activation.ts", [
    [
      "goes on with a run while a transaction of it is under way",
      "simulations",
      "E2",
      "this.#pumping || this.#runner.holding) return;",
      "this.#pumping) return;",
    ],
  ]),
  ...inFile("engine/machine.ts", [
    [
      "records a transaction a second time",
      "exhaustive",
      "L1 I3 I11",
      "this.journal.appendCommitted(entry);",
      "this.journal.append(entry, entry.at);",
    ],
  ]),
  ...inFile("testing/memory-store.ts", [
    [
      "commits the transaction of whoever had the run once",
      "simulations",
      "I11 I9 I3",
      'holdsLease({ ...scene, draft })\n        ? [advance({ ...scene, draft }, { kind: "advance", runId, attempt, entries: [entry], ...rest })]',
      'draft.run(runId) !== undefined\n        ? [\n            advance(\n              { ...scene, draft, worker: draft.run(runId)?.run.owner ?? null },\n              {\n                kind: "advance",\n                runId,\n                attempt: draft.run(runId)?.run.attempt ?? 0,\n                entries: [entry],\n                ...rest,\n              },\n            ),\n          ]',
    ],
    [
      "keeps what a transaction wrote that failed",
      "exhaustive",
      "I8",
      "copyOf(settle(await body(tx)));",
      "copyOf(\n      settle(\n        await Promise.resolve(body(tx)).catch(async (error) => {\n          await tx.commit();\n          throw error;\n        }),\n      ),\n    );",
    ],
    [
      "commits a transaction without what it wrote",
      "exhaustive",
      "I8",
      "const tx = this.#begin();\n    const { entry, ...rest } = copyOf(settle(await body(tx)));",
      "const { entry, ...rest } = copyOf(settle(await body(this.#begin())));\n    const tx = this.#begin();",
    ],
    [
      "keeps what the transaction of a fenced worker wrote",
      "simulations",
      "I8",
      'if (outcome?.is !== "done") return outcome && { is: "fenced" };',
      'if (outcome?.is !== "done") {\n      await tx.commit();\n      return outcome && { is: "fenced" };\n    }',
    ],
  ]),
];
