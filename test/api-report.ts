// The public API of an entry point as one text: each exported declaration under its name, then the declarations
// that these mention and that a user cannot import. Where a declaration lies does not show, nor what is internal,
// so that the text changes when a user would notice.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { repositoryRoot, type SourceFile } from "./source-file.ts";
import { descend, identifierName, isLabel, isNode, type SyntaxNode, syntaxOf, type Visit } from "./syntax.ts";

/** Compiles the declarations of all published packages into a folder. */
export function emitDeclarations(folder: string): void {
  const compiler = join(repositoryRoot, "node_modules/typescript/bin/tsc");
  const flags = ["-p", "tsconfig.declarations.json", "--removeComments", "--outDir", folder];
  const tsc = spawnSync(process.execPath, [compiler, ...flags], { cwd: repositoryRoot, encoding: "utf8" });
  if (tsc.status !== 0) throw new Error(`tsc ${flags.join(" ")}\n${tsc.stdout}${tsc.stderr}`);
}

/** A declaration file by its path, which has `.ts` where the source has. */
export type ReadDeclarations = (path: string) => SourceFile;

export function declarationsIn(folder: string): ReadDeclarations {
  const known = new Map<string, SourceFile>();
  return (path) => {
    const file = known.get(path) ?? {
      path,
      text: readFileSync(join(folder, path.replace(/\.ts$/, ".d.ts")), "utf8"),
    };
    known.set(path, file);
    return file;
  };
}

/** A name in a file: what the exports of an entry point lead to. */
interface Declared {
  readonly file: SourceFile;
  readonly name: string;
}

interface Entry {
  readonly title: string;
  readonly file: string;
  /** Entry points of the same package whose reports hold what they export. */
  readonly beside?: readonly string[];
}

export function apiReport({ title, file, beside = [] }: Entry, read: ReadDeclarations): string {
  const exported = new Map([...exportsOf(read(file), read)].toSorted(byName));
  const elsewhere = new Set(
    beside.flatMap((other) => [...exportsOf(read(other), read).values()].map(identity)),
  );
  const seen = reachable([...exported.values()], elsewhere, read);
  const named = new Set([...exported.values()].map(identity));
  const hidden = seen
    .filter((declared) => !named.has(identity(declared)))
    .map((declared): [string, Declared] => [declared.name, declared])
    .toSorted(byName);
  return [
    `# ${title}`,
    "Written by `UPDATE_API=1 npm test -- test/api.test.ts`. A change here is a change for users: review it.",
    fence([...exported].map(([name, declared]) => show(name, declared))),
    ...(hidden.length === 0
      ? []
      : ["## Mentioned above, not exported", fence(hidden.map(([name, declared]) => show(name, declared)))]),
    "",
  ].join("\n\n");
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

const identity = ({ file, name }: Declared): string => `${file.path}#${name}`;

const fence = (texts: string[]): string => ["```ts", texts.join("\n\n"), "```"].join("\n");

function show(name: string, { file, name: local }: Declared): string {
  const alias = name === local ? [] : [`// ${name} is the exported name of ${local}`];
  const texts = declarationsOf(file, local).map((node) => file.text.slice(node.start, node.end));
  return [...alias, ...texts.map((text) => text.replace(/^declare /, ""))].join("\n");
}

/** Every declaration that the given ones mention, themselves included, but for what is told elsewhere. */
function reachable(
  from: readonly Declared[],
  elsewhere: ReadonlySet<string>,
  read: ReadDeclarations,
): Declared[] {
  const found = new Map(from.map((declared) => [identity(declared), declared]));
  // A map hands out what is set while it is walked: each declaration is visited, and visited once.
  for (const { file, name } of found.values()) {
    for (const mention of declarationsOf(file, name).flatMap(mentions)) {
      const declared = resolve(file, mention, read);
      if (declared !== undefined && !elsewhere.has(identity(declared)))
        found.set(identity(declared), declared);
    }
  }
  return [...found.values()];
}

const isParameter = ({ node, property }: Visit): boolean =>
  (property === "params" || property === "parameters") && node.type === "Identifier";

function mentions(declaration: SyntaxNode): string[] {
  const visits = [...descend(declaration)].filter((visit) => !isLabel(visit) && !isParameter(visit));
  return visits.flatMap(({ node }) => identifierName(node) ?? []);
}

const statements = (file: SourceFile): SyntaxNode[] => nodes(syntaxOf(file).root["body"]);

const nodes = (value: unknown): SyntaxNode[] => (Array.isArray(value) ? value.filter(isNode) : []);

/** The declarations that a file gives a name, without `export`: several for overloads. */
function declarationsOf(file: SourceFile, name: string): SyntaxNode[] {
  return statements(file)
    .map((node) => (isNode(node["declaration"]) ? node["declaration"] : node))
    .filter((node) => declaredNames(node).includes(name));
}

function declaredNames(node: SyntaxNode): string[] {
  const declarators = nodes(node["declarations"]);
  const named = declarators.length === 0 ? [node] : declarators;
  return named.flatMap(({ id }) => identifierName(id) ?? []);
}

function exportsOf(file: SourceFile, read: ReadDeclarations): Map<string, Declared> {
  return new Map(statements(file).flatMap((node) => [...exportsOfStatement(file, node, read)]));
}

function* exportsOfStatement(
  file: SourceFile,
  node: SyntaxNode,
  read: ReadDeclarations,
): Generator<[string, Declared]> {
  if (!node.type.startsWith("Export")) return;
  const from = relativeSource(file, node);
  if (node.type === "ExportAllDeclaration" && from !== undefined) yield* exportsOf(read(from), read);
  if (isNode(node["declaration"])) {
    for (const name of declaredNames(node["declaration"])) yield [name, { file, name }];
  }
  for (const { local, exported } of nodes(node["specifiers"])) {
    const [inside, outside] = [identifierName(local), identifierName(exported)];
    if (inside === undefined || outside === undefined) continue;
    const declared =
      from === undefined ? resolve(file, inside, read) : exportsOf(read(from), read).get(inside);
    if (declared !== undefined) yield [outside, declared];
  }
}

/** What a name means in a file: declared there, or imported from another file of the package. */
function resolve(file: SourceFile, name: string, read: ReadDeclarations): Declared | undefined {
  if (declarationsOf(file, name).length > 0) return { file, name };
  for (const node of statements(file).filter(({ type }) => type === "ImportDeclaration")) {
    const specifier = nodes(node["specifiers"]).find(({ local }) => identifierName(local) === name);
    const from = relativeSource(file, node);
    if (specifier === undefined || from === undefined) continue;
    return exportsOf(read(from), read).get(identifierName(specifier["imported"]) ?? name);
  }
  return undefined;
}

function relativeSource(file: SourceFile, node: SyntaxNode): string | undefined {
  const source = isNode(node["source"]) ? node["source"]["value"] : undefined;
  if (typeof source !== "string" || !source.startsWith(".")) return undefined;
  return join(dirname(file.path), source);
}
