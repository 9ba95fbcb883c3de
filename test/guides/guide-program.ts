import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { makeProject, programOf } from "../docs-compile.ts";
import { blocksOf, readPage } from "../docs-pages.ts";

/**
 * Runs a block of a guide, with all that it is compiled with, and answers what it exports. What the page only declares, such as a mail
 * server, it finds in `world`. Its database is a file of this test.
 */
export async function runGuide<Exports>(
  page: string,
  block: string,
  world: Readonly<Record<string, unknown>>,
): Promise<Exports> {
  const blocks = blocksOf(readPage(`docs/guides/${page}.md`));
  const shown = blocks.find(({ name }) => name === block);
  if (shown === undefined) throw new Error(`docs/guides/${page}.md has no block ${block}`);
  const project = makeProject();
  onTestFinished(() => project.remove());
  const file = join(project.folder, "program.ts");
  const database = JSON.stringify(join(project.folder, "shop.db"));
  writeFileSync(file, programOf(shown, blocks).replaceAll('"shop.db"', database));
  Object.assign(globalThis, world);
  return (await import(file)) as Exports;
}
