/**
 * Prisma lives in a folder with a manifest of its own, and is installed there when its recipe is tested: it weighs more than all that the
 * repository needs otherwise.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const home = new URL("prisma/", import.meta.url);

/** Whether the clients of the recipe can be used. In CI they are installed and generated; elsewhere that is for who wants it. */
export function prismaIsThere(): boolean {
  const isThere = (path: string): boolean => existsSync(new URL(path, home));
  if (process.env["CI"] !== undefined) install();
  const there = isThere("node_modules/.modules.yaml") && isThere("generated/sqlite/client.ts");
  if (!there)
    console.warn("The recipe of Prisma is not tested: CI=1 installs its 300 MB into test/recipes/prisma.");
  return there;
}

function install(): void {
  run("install");
  // Any file will do: generating needs no engine, but Prisma would fetch one.
  run("run", "generate");
}

function run(...args: string[]): void {
  const quiet = { CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1" };
  const { status, stdout, stderr, error } = spawnSync("pnpm", args, {
    cwd: fileURLToPath(home),
    encoding: "utf8",
    env: { ...process.env, ...quiet, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`pnpm ${args.join(" ")}: ${error?.message ?? stdout + stderr}`);
}
