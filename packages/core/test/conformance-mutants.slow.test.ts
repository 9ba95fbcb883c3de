import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test } from "vitest";
import { type ConformanceCase, storeConformance, virtualClock } from "../src/testing/index.ts";
import { breed, MUTANTS, type OpenMutant } from "./conformance-mutants.ts";

const folder = mkdtempSync(join(tmpdir(), "everstep-mutants-"));
afterAll(() => rmSync(folder, { recursive: true }));

function conformance(memoryStore: OpenMutant): readonly ConformanceCase[] {
  const open = () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const beginTx = () => {
      const tx = store.begin();
      return { tx, commit: () => tx.commit(), rollback: () => tx.rollback() };
    };
    return { store, clock, second: () => store.reopen(), beginTx, close: () => store.close() };
  };
  return storeConformance({ name: "a mutant", open, patienceMs: 100 });
}

async function isNoticed(cases: readonly ConformanceCase[]): Promise<boolean> {
  for (const one of cases) {
    try {
      await one.run();
    } catch {
      return true;
    }
  }
  return false;
}

for (const mutant of MUTANTS) {
  test(`${mutant.topic}: the suite notices a store that ${mutant.does}`, async () => {
    const cases = conformance(await breed(mutant, folder)).filter(({ topic }) => topic === mutant.topic);
    assert.ok(cases.length > 0, `the suite has a topic ${mutant.topic}`);
    assert.ok(await isNoticed(cases), "no case of its topic failed");
  });
}
