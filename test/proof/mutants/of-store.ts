/** Mistakes in the store below, which the engine relies on: `packages/core/src/testing/memory`. */
import { inFile, type Mutant } from "./mutant.ts";

export const OF_STORE: readonly Mutant[] = [
  ...inFile("testing/memory/advance.ts", [
    [
      "lets whoever wants write",
      "exhaustive",
      "I9",
      "row === undefined || row.run.owner !== worker || row.run.attempt !== write.attempt",
      "row === undefined",
    ],
    [
      "lets an owner write under an attempt that is over",
      "simulations",
      "I9",
      "row.run.owner !== worker || row.run.attempt !== write.attempt",
      "row.run.owner !== worker",
    ],
    [
      "parks a run that has got a message meanwhile",
      "exhaustive",
      "L1",
      'if (then?.do === "park" && advanced.run.inbox > then.inbox) {',
      'if (then?.do === "park" && advanced.run.inbox > then.inbox + 1000) {',
    ],
  ]),
  ...inFile("testing/memory/batch.ts", [
    [
      "applies a batch twice",
      "exhaustive",
      "L1",
      "if (worker.batch === lease.batch) return worker.outcomes;",
      "if (worker.batch === lease.batch)\n    return writes.map((write) => applyWrite({ draft, now, worker: worker.id }, write));",
    ],
    [
      "gives runs to workers whose lease is over",
      "exhaustive",
      "L1",
      "const claimed = claim && run.due === undefined && holdsLease(scene);",
      "const claimed = claim && run.due === undefined;",
    ],
    [
      "does not wake a run for a message",
      "exhaustive",
      "L1",
      "return { stuck: null, dueAt: Math.min(run.dueAt ?? now, now) };",
      "return { stuck: null };",
    ],
    [
      "takes a message twice",
      "exhaustive",
      "I14",
      'if (row.messages.some(({ id }) => id === message.id)) return { is: "duplicate" };',
      "",
    ],
  ]),
  ...inFile("testing/memory/leases.ts", [
    [
      "keeps the runs of a dead worker",
      "exhaustive",
      "L1",
      "if (row.run.owner === worker.id) strike(draft, row, now);",
      "if (row.run.owner === worker.id && row.run.attempt === 0) strike(draft, row, now);",
    ],
    [
      "renews the lease of a worker that was taken over",
      "exhaustive",
      "I4",
      "  draft.putWorker({ ...worker, live: false });\n",
      "",
    ],
    ["forgets that a run was interrupted", "series", "I7", "interrupted: true,", "interrupted: false,"],
    [
      "brings messages that are consumed",
      "exhaustive",
      "I14",
      "    .filter(({ consumedBy }) => consumedBy === null)\n",
      "",
    ],
  ]),
];
