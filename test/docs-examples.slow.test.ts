// What the docs show is run: the README's example as a program, the tests of docs/testing.md by vitest.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeProject, programOf } from "./docs-compile.ts";
import { blocksOf, readPage } from "./docs-pages.ts";
import { repositoryRoot } from "./source-file.ts";

const VITEST_CONFIG = `
const conditions = ["@everstep/source", "module", "node", "development|production"];
export default { resolve: { conditions }, ssr: { resolve: { conditions } }, test: { include: ["*.test.ts"] } };
`;

function programsIn(page: string): string[] {
  const blocks = blocksOf(readPage(page));
  return blocks.map((block) => programOf(block, blocks));
}

function node(folder: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

test("the README's example runs, and runs again over the same file", () => {
  const project = makeProject();
  onTestFinished(() => project.remove());
  const [program = ""] = programsIn("README.md").filter((text) => text.includes("run.result()"));
  writeFileSync(join(project.folder, "order.ts"), program);
  for (const _ of ["first", "second"]) {
    const { status, output } = node(project.folder, "--conditions=@everstep/source", "order.ts");
    expect({ status, output }).toEqual({ status: 0, output: "charge of 1999 under order-42/charge\n" });
  }
});

test("the README's crash test finds what the README says", () => {
  const project = makeProject();
  onTestFinished(() => project.remove());
  const [program = ""] = programsIn("README.md").filter((text) => text.includes("await crashTest("));
  const said = /```text\n(CrashTestError: [^`]+)```/.exec(readPage("README.md").text)?.[1] ?? "";
  writeFileSync(join(project.folder, "order.ts"), program);
  const { status, output } = node(project.folder, "--conditions=@everstep/source", "order.ts");
  expect(status).toBe(1);
  expect(said.length).toBeGreaterThan(100);
  expect(output).toContain(said.trim());
});

test("the tests in docs/testing.md pass", () => {
  const project = makeProject();
  onTestFinished(() => project.remove());
  const programs = programsIn("docs/testing.md").filter((program) => program.includes("\ntest("));
  expect(programs.length).toBeGreaterThan(1);
  for (const [index, program] of programs.entries())
    writeFileSync(join(project.folder, `${index}.test.ts`), program);
  writeFileSync(join(project.folder, "vitest.config.js"), VITEST_CONFIG);
  const vitest = join(repositoryRoot, "node_modules/vitest/vitest.mjs");
  const { status, output } = node(project.folder, vitest, "run");
  expect({ status, output }).toMatchObject({ status: 0 });
});
