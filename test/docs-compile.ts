import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { repositoryRoot } from "./source-file.ts";
import type { Block } from "./docs-pages.ts";

/** Where the blocks find what they import: as in a project of a user. */
const INSTALLED = [
  "examples/ecommerce/node_modules",
  "test/recipes/node_modules",
  "node_modules/vitest",
  "node_modules/@types/node",
];

/** As strict as the sources. A block shows a part, so it need not use all that it declares. */
const TSCONFIG = {
  extends: join(repositoryRoot, "tsconfig.base.json"),
  compilerOptions: {
    noEmit: true,
    allowImportingTsExtensions: true,
    customConditions: ["@everstep/source"],
    noUnusedLocals: false,
    noUnusedParameters: false,
  },
  include: ["*.ts"],
};

/** A folder in which the packages of this repository are installed from their sources. */
export function makeProject(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "everstep-docs-"));
  const modules = join(folder, "node_modules");
  const link = (from: string): void => {
    const scope = /@types\//.test(from) ? join(modules, "@types") : modules;
    mkdirSync(scope, { recursive: true });
    const to = join(scope, basename(from));
    if (!existsSync(to)) symlinkSync(from, to, "junction");
  };
  for (const place of INSTALLED) {
    const full = join(repositoryRoot, place);
    if (basename(place) !== "node_modules") link(full);
    else for (const path of packagesIn(full)) link(path);
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

function packagesIn(modules: string): string[] {
  return readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name === "@types"
        ? readdirSync(join(modules, name)).map((type) => join(modules, name, type))
        : [join(modules, name)],
    );
}

/** What is compiled for a block: those that it is compiled with come first. */
export function programOf(block: Block, all: readonly Block[]): string {
  return [...withAll(block, all), block].map(({ code }) => code).join("");
}

function withAll(block: Block, all: readonly Block[], seen = new Set<Block>([block])): Block[] {
  return block.with.flatMap((name) => {
    const other = all.find((candidate) => candidate.name === name);
    if (other === undefined) throw new Error(`${block.page}:${block.line}: no block has the name ${name}`);
    if (seen.has(other)) return [];
    seen.add(other);
    return [...withAll(other, all, seen), other];
  });
}

/** Compiles all blocks in one go; answers what is wrong, with page and line. */
export function problemsOf(blocks: readonly Block[]): string[] {
  const project = makeProject();
  try {
    writeFileSync(join(project.folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
    for (const [index, block] of blocks.entries())
      writeFileSync(join(project.folder, `block-${index}.ts`), programOf(block, blocks));
    const compiler = join(repositoryRoot, "node_modules/typescript/bin/tsc");
    const flags = ["-p", project.folder, "--pretty", "false"];
    const tsc = spawnSync(process.execPath, [compiler, ...flags], { cwd: project.folder, encoding: "utf8" });
    const lines = tsc.stdout.split("\n").filter((line) => /^\S.*error TS/.test(line));
    if (tsc.status !== 0 && lines.length === 0) throw new Error(`${tsc.stdout}${tsc.stderr}`);
    return lines.map((line) => located(line, blocks));
  } finally {
    project.remove();
  }
}

function located(line: string, blocks: readonly Block[]): string {
  const found = /^block-(?<index>\d+)\.ts\((?<line>\d+),\d+\): (?<text>.*)$/.exec(line)?.groups;
  const block = blocks[Number(found?.["index"])];
  if (found === undefined || block === undefined) return line;
  const before = withAll(block, blocks).map(({ code }) => code.split("\n").length - 1);
  const own = Number(found["line"]) - before.reduce((sum, lines) => sum + lines, 0);
  const where = own > 0 ? String(block.line + own - 1) : `${block.line} (in what it is compiled with)`;
  return `${block.page}:${where}: ${found["text"]}`;
}
