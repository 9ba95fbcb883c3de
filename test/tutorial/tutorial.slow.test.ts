/** docs/tutorial.md, followed literally: from an empty folder, with the packages as they would be published. */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { readPage } from "../docs-pages.ts";
import { repositoryRoot } from "../source-file.ts";
import { actionsOf } from "./tutorial-page.ts";
import { Reader } from "./tutorial-reader.ts";
import { hasTerminals } from "./reader-terminal.ts";

const PORTS = ["3000", "4242", "2525"];

/** As `npm run build` and `npm run pack` do it, into a folder of its own. */
function packed(): string {
  const folder = mkdtempSync(join(tmpdir(), "everstep-packed-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const packages = ["--recursive", "--filter", "./packages/*"];
  pnpm(...packages, "build");
  pnpm(...packages, "pack", "--out", join(folder, "%s.tgz"));
  return folder;
}

function pnpm(...args: readonly string[]): void {
  const script = join(repositoryRoot, "scripts/run.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`pnpm ${args.join(" ")}\n${stdout}${stderr}`);
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return String(port);
}

async function emptyDatabase(): Promise<string> {
  const name = `tutorial_${randomUUID().replaceAll("-", "")}`;
  const client = new Client({ connectionString: inject("databaseUrl") });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  onTestFinished(async () => {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await client.end();
  });
  const url = new URL(inject("databaseUrl"));
  url.pathname = `/${name}`;
  return url.href;
}

if (!hasTerminals) console.warn("the tutorial is not followed: that needs bash, curl and python3");

test.skipIf(!hasTerminals)("the tutorial works as it stands", { timeout: 180_000 }, async () => {
  const own = new Map([
    ["file:../everstep/packed", `file:${packed()}`],
    ["postgres://localhost/shop", await emptyDatabase()],
  ]);
  for (const port of PORTS) own.set(port, await freePort());
  const actions = actionsOf(readPage("docs/tutorial.md"));
  expect(actions.length).toBeGreaterThan(50);

  const reader = new Reader("shop", own);
  onTestFinished(() => reader.leave());
  await reader.follow(actions);
});
