// Everything that says no before a commit, side by side: `npm run check`, or `npm run check -- lint types`.
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The slowest first, for two cores have to share them. */
const CHECKS: Readonly<Record<string, string>> = {
  unit: "vitest run --project unit --reporter=dot",
  unused: "knip --no-config-hints",
  lint: "oxlint",
  types: "tsc -p tsconfig.json && tsc -p examples/ecommerce/src/operations/page",
  declarations: "tsc -p tsconfig.declarations.json --noEmit",
  format: "biome format",
};

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
}

function run(command: string): Promise<Outcome> {
  const env = { ...process.env };
  env["PATH"] = [join(root, "node_modules/.bin"), env["PATH"]].join(delimiter);
  return new Promise((resolve) => {
    const child = spawn(command, { cwd: root, env, shell: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) => resolve({ passed: false, output: error.message }));
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}

async function check(name: string, command: string): Promise<boolean> {
  const startedAt = performance.now();
  const { passed, output } = await run(command);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${passed ? "ok    " : "FAILED"} ${name.padEnd(12)} ${seconds.padStart(5)} s`);
  if (!passed) console.log(`\n${command}\n${output}`);
  return passed;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in CHECKS));
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(", ")}; there are ${Object.keys(CHECKS).join(", ")}.`);
  process.exit(2);
}

const chosen = Object.entries(CHECKS).filter(([name]) => asked.length === 0 || asked.includes(name));
const passed = await Promise.all(chosen.map(([name, command]) => check(name, command)));
process.exitCode = passed.every(Boolean) ? 0 : 1;
