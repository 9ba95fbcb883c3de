import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { MUTANTS } from "./conformance-mutants.ts";
import type { Verdict } from "./conformance-mutants-run.ts";

const program = fileURLToPath(new URL("conformance-mutants-run.ts", import.meta.url));
const verdicts = new Map<string, Verdict>();

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  for (const line of stdout.trim().split("\n")) {
    const verdict = JSON.parse(line) as Verdict;
    verdicts.set(verdict.does, verdict);
  }
});

for (const { does, topic } of MUTANTS) {
  test(`${topic}: the suite notices a store that ${does}`, () => {
    expect(verdicts.get(does)).toEqual({ does, noticedBy: expect.any(String) as string });
  });
}
