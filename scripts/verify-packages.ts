// Are the packages what a user needs? Builds and packs them, lets publint and attw look at the tarballs, and uses
// the tarballs as a stranger would: Node.js imports each entry point, TypeScript compiles against it.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

const LIBRARIES = ["core", "adapters"];
/** A command has no types, and nothing to import. */
const COMMAND = "cli";

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, unknown>;
}

function run(command: string, args: readonly string[], cwd = root): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return;
  throw new Error(`${[command, ...args].join(" ")}\n${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
}

const pnpm = (...args: string[]): void => run(process.execPath, [join(root, "scripts/run.mjs"), ...args]);

/** Packs a package and puts it where the stranger finds it. */
function install(name: string, stranger: string): Manifest {
  const source = join(root, "packages", name);
  const tarball = join(stranger, `${name}.tgz`);
  const target = join(stranger, "node_modules/@everstep", name);
  pnpm("--filter", `./packages/${name}`, "pack", "--out", tarball);
  run(bin("publint"), [tarball, "--strict"]);
  if (name !== COMMAND) run(bin("attw"), [tarball, "--profile", "esm-only"]);
  mkdirSync(target, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
  const manifest = readFileSync(join(target, "package.json"), "utf8");
  if (/@everstep\/source|workspace:|catalog:/.test(manifest)) {
    throw new Error(`${name}: the packed package.json speaks of this repository\n${manifest}`);
  }
  linkDependencies(source, stranger);
  return JSON.parse(manifest) as Manifest;
}

/** The versions installed here, for the registry is not what is looked at. */
function linkDependencies(source: string, stranger: string): void {
  const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  for (const name of names.filter((each) => !each.startsWith("@everstep/"))) {
    const link = join(stranger, "node_modules", name);
    if (existsSync(link)) continue;
    mkdirSync(join(link, ".."), { recursive: true });
    symlinkSync(join(source, "node_modules", name), link, "junction");
  }
}

/** Strict and without skipLibCheck: what is wrong in a declaration file is the stranger's error as well. */
const STRANGER_TSCONFIG = {
  compilerOptions: {
    target: "es2024",
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  },
  files: ["use.ts"],
};

function use(manifests: readonly Manifest[], stranger: string): void {
  const entries = manifests.flatMap(({ name, exports }) =>
    Object.keys(exports).map((path) => name + path.slice(1)),
  );
  const imports = entries.map((entry, index) => `import * as entry${index} from "${entry}";`);
  const uses = entries.map((_, index) => `if (Object.keys(entry${index}).length === 0) throw new Error();`);
  const program = [...imports, ...uses, ""].join("\n");
  writeFileSync(join(stranger, "package.json"), '{ "type": "module" }');
  writeFileSync(join(stranger, "tsconfig.json"), JSON.stringify(STRANGER_TSCONFIG));
  writeFileSync(join(stranger, "use.ts"), program);
  writeFileSync(join(stranger, "use.js"), program);
  run(bin("tsc"), ["-p", "."], stranger);
  run(process.execPath, ["use.js"], stranger);
}

/** Starts, and finds the drivers, in a store that the libraries made. */
function useCommand(stranger: string): void {
  const file = join(stranger, "shop.db");
  const make = `import { sqlite } from "@everstep/adapters/sqlite"; await sqlite(${JSON.stringify(file)}).close();`;
  run(process.execPath, ["--input-type=module", "--eval", make], stranger);
  const everstep = join(stranger, "node_modules/@everstep", COMMAND, "dist/main.js");
  for (const words of [["--version"], ["doctor", "--strict", "--store", file], ["list", "--store", file]])
    run(process.execPath, [everstep, ...words], stranger);
}

const stranger = mkdtempSync(join(tmpdir(), "everstep-stranger-"));
try {
  pnpm("--recursive", "--filter", "./packages/*", "build");
  use(
    LIBRARIES.map((name) => install(name, stranger)),
    stranger,
  );
  install(COMMAND, stranger);
  useCommand(stranger);
  console.log(
    `${LIBRARIES.join(" and ")}: packed, linted, imported and compiled against. ${COMMAND}: started.`,
  );
} finally {
  rmSync(stranger, { recursive: true });
}
