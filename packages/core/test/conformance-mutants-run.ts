/**
 * A program: breeds each mutant of the reference store, lets the suite judge it, and prints a line of JSON for it.
 * It runs on plain Node.js, which loads a thousand copied files faster than a test runner that transforms them.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type ConformanceCase,
  type MemoryStore,
  type MemoryStoreOptions,
  storeConformance,
  virtualClock,
} from "../src/testing/index.ts";
import type { Mutant } from "./conformance-mutant.ts";
import { MUTANTS } from "./conformance-mutants.ts";

/** What came of a mutant: the case that noticed it, or why it could not be bred. */
export interface Verdict {
  readonly does: string;
  readonly noticedBy?: string;
  readonly problem?: string;
}

type Open = (options: MemoryStoreOptions) => MemoryStore;

const source = fileURLToPath(new URL("../src/", import.meta.url));

/** Breaks a copy of the store, and answers how to open it. */
async function breed(mutant: Mutant, folder: string): Promise<Open> {
  const copy = mkdtempSync(join(folder, "mutant-"));
  cpSync(join(source, "testing/memory"), join(copy, "memory"), { recursive: true });
  cpSync(join(source, "testing/memory-store.ts"), join(copy, "memory-store.ts"));
  replaceOnce(join(copy, mutant.file), mutant);
  for (const name of readdirSync(join(copy, "memory"))) redirect(join(copy, "memory", name), "../../");
  redirect(join(copy, "memory-store.ts"), "../");
  const module = (await import(pathToFileURL(join(copy, "memory-store.ts")).href)) as { memoryStore: Open };
  return module.memoryStore;
}

function replaceOnce(file: string, { from, to }: Mutant): void {
  const parts = readFileSync(file, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`what it replaces is at ${parts.length - 1} places, not at one`);
  writeFileSync(file, parts.join(to));
}

/** Points imports from beyond the copy at the real sources, so that errors are of the classes that the suite knows. */
function redirect(file: string, up: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll(`from "${up}`, `from "${pathToFileURL(source).href}`));
}

function conformance(memoryStore: Open): readonly ConformanceCase[] {
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

async function judge(mutant: Mutant, folder: string): Promise<Verdict> {
  const { does, topic } = mutant;
  try {
    const cases = conformance(await breed(mutant, folder)).filter((one) => one.topic === topic);
    const noticedBy = await firstToFail(cases);
    return noticedBy === undefined ? { does, problem: `no case of ${topic} failed` } : { does, noticedBy };
  } catch (error) {
    return { does, problem: String(error) };
  }
}

async function firstToFail(cases: readonly ConformanceCase[]): Promise<string | undefined> {
  for (const one of cases) {
    try {
      await one.run();
    } catch {
      return one.name;
    }
  }
  return undefined;
}

const folder = mkdtempSync(join(tmpdir(), "everstep-mutants-"));
try {
  for (const mutant of MUTANTS) console.log(JSON.stringify(await judge(mutant, folder)));
} finally {
  rmSync(folder, { recursive: true });
}
