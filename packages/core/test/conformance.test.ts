/** P1 (S11, S12, S13), P4 (S1), P5 (S3, S4, S5), P7 (S6, S7): every case over the memory store, each named by the invariants and failures that it defends. */
import { describe, test } from "vitest";
import {
  type MemoryStore,
  memoryStore,
  type OpenStore,
  storeConformance,
  virtualClock,
} from "../src/testing/index.ts";

function open(hints: boolean): OpenStore {
  const clock = virtualClock();
  const store = memoryStore({ clock, hints });
  return { store, clock, ...doors(store), close: () => store.close() };
}

function doors(store: MemoryStore): Pick<OpenStore, "second" | "beginTx"> {
  return {
    second: () => store.reopen(),
    beginTx: () => {
      const tx = store.begin();
      return { tx, commit: () => tx.commit(), rollback: () => tx.rollback() };
    },
  };
}

const suites = {
  "the memory store": storeConformance({ name: "memory", open: () => open(true) }),
  "the memory store without hints": storeConformance({
    name: "memory",
    open: () => open(false),
    hints: false,
  }),
};

for (const [name, cases] of Object.entries(suites)) {
  describe(`${name} conforms`, () => {
    for (const one of cases) {
      test(`${one.topic}: ${one.name}`, async ({ skip }) => {
        const verdict = await one.run();
        if (verdict !== undefined) skip(verdict.skipped);
      });
    }
  });
}
