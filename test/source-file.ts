import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot: string = fileURLToPath(new URL("..", import.meta.url));

/** A text file of the repository. Its path is relative to the root and has `/` on every system. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const READ = /\.(?:ts|mts|mjs|js|md|json)$/;
const GENERATED = new Set(["node_modules", "dist", "coverage", "generated", ".git"]);

/** Every source, page and manifest that people write, in a stable order. */
export function readRepository(folder = ""): SourceFile[] {
  const entries = readdirSync(join(repositoryRoot, folder), { withFileTypes: true });
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => readEntry(folder, entry));
}

function readEntry(folder: string, entry: Dirent): SourceFile[] {
  const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
  if (entry.isDirectory()) return GENERATED.has(entry.name) ? [] : readRepository(path);
  if (!entry.isFile() || !READ.test(entry.name)) return [];
  return [{ path, text: readFileSync(join(repositoryRoot, path), "utf8") }];
}
