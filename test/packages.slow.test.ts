import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { repositoryRoot } from "./source-file.ts";

test("the packages work for who installs them", () => {
  const verify = spawnSync(process.execPath, ["scripts/verify-packages.ts"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  expect(verify.stderr + verify.stdout).toContain("compiled against");
  expect(verify.status).toBe(0);
});
