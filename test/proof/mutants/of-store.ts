/** Mistakes in the store below, which the engine relies on: `packages/core/src/testing/memory`. */
import { inFile, type Mutant } from "./mutant.ts";

export const OF_STORE: readonly Mutant[] = [
  ...inFile("testing/memory/messages.ts", [
    [
      "wakes no run for a message",
      "simulations",
      "L1",
      "return { ...ended, dueAt: Math.min(run.dueAt ?? now, now) };",
      "return ended;",
    ],
  ]),
  ...inFile("testing/memory/batch.ts", [
    [
      "lets whoever wants write",
      "simulations",
      "I9",
      'return holdsLease(scene) ? advance(scene, write) : { is: "fenced" };',
      'const owned = scene.draft.run(write.runId)?.run;\n      return owned === undefined\n        ? { is: "fenced" }\n        : advance({ ...scene, worker: owned.owner }, { ...write, attempt: owned.attempt });',
    ],
  ]),
  ...inFile("testing/memory/advance.ts", [
    [
      "parks a run that has got a message meanwhile",
      "simulations",
      "L1",
      "if (run.inbox > then.inbox)",
      "if (run.inbox > then.inbox + 1000)",
    ],
  ]),
  ...inFile("testing/memory/batch.ts", [
    [
      "applies a batch twice",
      "simulations",
      "L1",
      "if (worker.batch === lease.batch) return worker.outcomes;",
      "if (worker.batch === lease.batch)\n    return writes.map((write) => applyWrite({ draft, now, worker: worker.id }, write));",
    ],
    [
      "gives runs to workers whose lease is over",
      "simulations",
      "L1",
      "claim: write.claim && holdsLease(scene)",
      "claim: write.claim",
    ],
  ]),
  ...inFile("testing/memory/leases.ts", [
    [
      "takes workers over whose lease is good",
      "simulations",
      "I4 I9 L1",
      "other.live && other.expiresAt <= now",
      "other.live && other.id !== id",
    ],
    [
      "keeps the runs of a dead worker",
      "simulations",
      "L1",
      "if (row.run.owner === worker.id) strike(draft, row, now);",
      "if (row.run.owner === worker.id && row.run.attempt === 0) strike(draft, row, now);",
    ],
    [
      "renews the lease of a worker that was taken over",
      "simulations",
      "I4",
      "now: number): void {\n  draft.workers.set(worker.id, { ...worker, live: false });\n",
      "now: number): void {\n",
    ],
    ["forgets that a run was interrupted", "series", "I7", "interrupted: true,", "interrupted: false,"],
    [
      "brings messages that are consumed",
      "series",
      "L1 I14",
      "    .filter(({ consumedBy }) => consumedBy === null)\n",
      "",
    ],
  ]),
];
