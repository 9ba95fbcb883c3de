// docs/recipes shows nothing that is not run: its code is that of test/recipes, word for word.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { headingsOf, readPages } from "./docs-pages.ts";
import { repositoryRoot, type SourceFile } from "./source-file.ts";

const pages = readPages().filter(
  ({ path }) => path.startsWith("docs/recipes/") && !path.endsWith("README.md"),
);
const programs = readPrograms("test/recipes");

function readPrograms(folder: string): string[] {
  return readdirSync(join(repositoryRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return /node_modules|generated/.test(entry.name) ? [] : readPrograms(path);
    return path.endsWith(".ts") ? [leftAligned(readFileSync(join(repositoryRoot, path), "utf8"))] : [];
  });
}

/** A part of a file is shown without the indentation that it has there. */
function leftAligned(code: string): string {
  return code.replaceAll(/^ +/gm, "").trim();
}

function codeOf({ text }: SourceFile): string[] {
  const blocks = [...text.matchAll(/^```(?:ts|typescript)\n(?<code>.*?)^```/gms)];
  return blocks.map(({ groups }) => leftAligned(groups?.["code"] ?? ""));
}

test.each(pages.map((page) => [page.path, page] as const))(
  "the code of %s is what the tests run",
  (_, page) => {
    // What is shorter, such as how a client is made, is only compiled.
    const strange = codeOf(page).filter((code) => !programs.some((program) => program.includes(code)));
    expect(strange.filter((code) => code.split("\n").length > 3)).toEqual([]);
  },
);

const ANSWERED = ["Why it survives crashes", "How it fails", "Test it", "See and mend it"];

test.each(pages.map((page) => [page.path, page] as const))("%s solves its thing wholly", (_, { text }) => {
  expect(headingsOf(text)).toEqual(expect.arrayContaining(ANSWERED));
});
