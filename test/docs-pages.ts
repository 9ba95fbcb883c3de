// The pages that users read, and what can be checked of them without understanding English.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { repositoryRoot, type SourceFile } from "./source-file.ts";

const AT_THE_ROOT = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
/** Beside what they are about. */
const ELSEWHERE = [
  "bench/README.md",
  "examples/ecommerce/README.md",
  "packages/adapters/README.md",
  "packages/cli/README.md",
  "packages/core/README.md",
  "tinybird/README.md",
];

/** The pages at the root, all of docs/ with its folders, and those beside what they are about. */
export function readPages(): SourceFile[] {
  const found = readdirSync(join(repositoryRoot, "docs"), { recursive: true, encoding: "utf8" });
  const docs = found
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.replaceAll("\\", "/")}`);
  return [...AT_THE_ROOT, ...docs.toSorted(), ...ELSEWHERE].map(readPage);
}

export function readPage(path: string): SourceFile {
  return { path, text: readFileSync(join(repositoryRoot, path), "utf8") };
}

/** A fenced block of TypeScript. */
export interface Block {
  readonly page: string;
  /** The line of its first line in the page. */
  readonly line: number;
  readonly code: string;
  /** Other blocks can be compiled with it. */
  readonly name: string | undefined;
  /** Names of the blocks that it is compiled with. */
  readonly with: readonly string[];
}

const FENCED = /^```(?<language>\w*)[^\n]*\n(?<code>.*?)^```/gms;
const PREAMBLE = /^<!-- preamble: (?<name>[\w-]+)\n(?<code>.*?)^-->/gms;
const REMARKS = /(?:^<!-- (?:with|name): [^\n]*-->\n)+$/m;
/** A file of a project of its own, which is compiled where it lies: see tutorial-page.ts. */
const OF_A_PROJECT = /(?:^|\n)<!-- (?:file|edit): [^\n]*-->\n$/;

/**
 * The TypeScript of a page. What a block needs and a reader does not is in a comment of the page:
 *
 *     <!-- preamble: shop
 *     declare const shop: Shop;
 *     -->
 *
 *     <!-- with: shop -->      on the line above the block; several names with commas, of this or another page
 *     <!-- name: order -->     there as well: others can be compiled with this block
 */
export function blocksOf({ path, text }: SourceFile): Block[] {
  const fenced = [...text.matchAll(FENCED)].filter(
    ({ index, groups }) => groups?.["language"] === "ts" && !OF_A_PROJECT.test(text.slice(0, index)),
  );
  const visible = fenced.map(({ index, groups }) => {
    const remarks = REMARKS.exec(text.slice(0, index))?.[0] ?? "";
    const name = /name: ([\w-]+)/.exec(remarks)?.[1];
    const needed = /with: ([^\n]*?) -->/.exec(remarks)?.[1]?.split(/,\s*/) ?? [];
    return { page: path, line: lineOf(text, index) + 1, code: groups?.["code"] ?? "", name, with: needed };
  });
  const hidden = [...text.matchAll(PREAMBLE)].map(({ index, groups }) => ({
    page: path,
    line: lineOf(text, index) + 1,
    code: groups?.["code"] ?? "",
    name: groups?.["name"],
    with: [],
  }));
  return [...hidden, ...visible];
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Without its code: a link or a path in code is an example of something. */
function proseOf(text: string): string {
  const blank = (code: string): string => code.replaceAll(/[^\n]/g, " ");
  return text.replaceAll(FENCED, blank).replaceAll(/`[^`\n]+`/g, blank);
}

export type PageRule = (page: SourceFile) => string[];

/** Each relative link leads to a file of the repository, and to a heading of it where it names one. */
export const linksLeadSomewhere: PageRule = ({ path, text }) =>
  [...proseOf(text).matchAll(/\]\((?<target>[^)\s]+)\)/g)].flatMap(({ index, groups }) => {
    const target = groups?.["target"] ?? "";
    if (/^(?:https?|mailto):/.test(target)) return [];
    const [file = "", anchor] = target.split("#");
    const to = file === "" ? path : join(dirname(path), file);
    const complaint = whyNot(to, anchor, to === path ? text : undefined);
    return complaint === undefined ? [] : [`${path}:${lineOf(text, index)}: ${target}: ${complaint}`];
  });

function whyNot(file: string, anchor: string | undefined, known: string | undefined): string | undefined {
  const full = join(repositoryRoot, file);
  if (file.startsWith("..") || (known === undefined && !existsSync(full))) return "there is no such file";
  if (anchor === undefined) return undefined;
  const anchors = headingsOf(known ?? readFileSync(full, "utf8")).map(slugOf);
  return anchors.includes(anchor) ? undefined : "there is no such heading";
}

const WORDS_MAX = 1_350;

/** A page that is too long to be looked through begins with links to its parts. */
export const longPagesHaveContents: PageRule = ({ path, text }) => {
  if (!path.startsWith("docs/") || text.split(/\s+/).length <= WORDS_MAX) return [];
  const visible = text.replaceAll(FENCED, "");
  const groups = [...visible.matchAll(/^# (.+)$/gm)].slice(1);
  const parts = groups.length > 0 ? groups : [...visible.matchAll(/^## (.+)$/gm)];
  const beginning = visible.slice(0, parts[0]?.index);
  return parts
    .filter(([, heading = ""]) => !beginning.includes(`(#${slugOf(heading)})`))
    .map(([, heading = ""]) => `${path}: its contents have no link to ${heading}`);
};

export function headingsOf(text: string): string[] {
  return [...text.replaceAll(FENCED, "").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
}

/** As GitHub makes anchors of headings. */
function slugOf(heading: string): string {
  const letters = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
  return letters.trim().replaceAll(" ", "-");
}

/** From the root of the repository or from the page, also where it is the target of a link. */
const TEST_FILE = /(?:\w[\w.-]*\/)+[\w.-]+\.test\.ts/g;

export function testsNamedIn(text: string): string[] {
  return [...new Set(text.match(TEST_FILE))];
}

export const namedTestsExist: PageRule = ({ path, text }) =>
  testsNamedIn(text)
    .filter((name) => !["", dirname(path)].some((from) => existsSync(join(repositoryRoot, from, name))))
    .map((name) => `${path}: there is no ${name}`);

/** A path from the root of somebody's disk means nothing on another one. */
export const pathsAreRelative: PageRule = ({ path, text }) =>
  [
    ...text.matchAll(/(?<![\w.\-/])\/(?:work|home|Users|root|tmp|var|opt|mnt|usr)\/|\b[A-Z]:\\|file:\/\//g),
  ].map(({ index, 0: found }) => `${path}:${lineOf(text, index)}: ${found} is a path of one machine`);

/** From `**P1**` to the next promise or heading. */
export function promiseIn(path: string, promise: string): string {
  const { text } = readPage(path);
  const from = text.indexOf(`**${promise}**`);
  if (from === -1) return "";
  const end = text.slice(from + 1).search(/\*\*P\d\*\*|\*\*Not promised|^#/m);
  return text.slice(from, end === -1 ? undefined : from + 1 + end);
}
