import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { makeProject, programOf } from "../docs-compile.ts";
import { blocksOf, readPage } from "../docs-pages.ts";

/** What stands in the page, and what the program has in its place: `{ '"250ms"': '"60s"' }`. */
type Changes = Readonly<Record<string, string>>;

/** Writes a block of a guide, with all that it is compiled with, as `program.ts` into a project; its database is a file there. */
export function writeGuide(
  page: string,
  block: string,
  changes: Changes = {},
): { readonly folder: string; readonly file: string } {
  const blocks = blocksOf(readPage(`docs/guides/${page}.md`));
  const shown = blocks.find(({ name }) => name === block);
  if (shown === undefined) throw new Error(`docs/guides/${page}.md has no block ${block}`);
  const project = makeProject();
  onTestFinished(() => project.remove());
  const { folder } = project;
  const file = join(folder, "program.ts");
  const database = JSON.stringify(join(folder, "shop.db"));
  let program = programOf(shown, blocks).replaceAll('"shop.db"', database);
  for (const [shownText, text] of Object.entries(changes)) program = program.replaceAll(shownText, text);
  writeFileSync(file, program);
  return { folder, file };
}

/** Runs a block of a guide, and answers what it exports. What the page only declares, such as a mail server, it finds in `world`. */
export async function runGuide<Exports>(
  page: string,
  block: string,
  world: Readonly<Record<string, unknown>>,
  changes?: Changes,
): Promise<Exports> {
  const { file } = writeGuide(page, block, changes);
  Object.assign(globalThis, world);
  return (await import(file)) as Exports;
}
