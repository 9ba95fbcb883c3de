// The rules of this repository that neither the compiler nor the linter knows. Each is a pure function from a file
// to its problems; none has a list of exemptions. `tidy.test.ts` runs them over the repository and shows for each
// that it reports what it forbids.
import { basename, dirname, join } from "node:path/posix";
import type { SourceFile } from "./source-file.ts";
import { descend, identifierName, isLabel, isNode, lineAt, type SyntaxNode, syntaxOf } from "./syntax.ts";

/** Answers one line for each problem, `path:line: what is wrong`; none for a file that it does not concern. */
export type Rule = (file: SourceFile) => string[];

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

const isCode = (path: string): boolean => /\.(?:ts|mts|mjs|js)$/.test(path);
const isProduct = (path: string): boolean => /^(?:packages|examples)\/[^/]+\/src\/|^scripts\//.test(path);

const problem = (file: SourceFile, at: number, what: string): string =>
  `${file.path}:${lineAt(file.text, at)}: ${what}`;

// --- The engine is pure ---------------------------------------------------------------------------------------

const IMPURE_NAMES = new Set([
  "Promise",
  "crypto",
  "globalThis",
  "performance",
  "process",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);
const IMPURE_MEMBERS = new Set(["Date.now", "Math.random"]);

/** The engine decides from what it is told. A clock, a draw or a promise in it would make a replay differ. */
export const engineIsPure: Rule = (file) => {
  if (!file.path.startsWith("packages/core/src/engine/") || !isCode(file.path)) return [];
  const { root, imports } = syntaxOf(file);
  const impure = imports.filter(({ from }) => from.startsWith("node:"));
  return [
    ...impure.map(({ from, at }) => problem(file, at, `the engine is pure, it cannot import ${from}`)),
    ...[...descend(root)].flatMap((visit) => {
      const name = identifierName(visit.node);
      const what =
        name !== undefined && !isLabel(visit) && IMPURE_NAMES.has(name) ? name : impurity(visit.node);
      return what === undefined
        ? []
        : [problem(file, visit.node.start, `the engine is pure, it cannot use ${what}`)];
    }),
  ];
};

function impurity(node: SyntaxNode): string | undefined {
  if (node["async"] === true) return "async";
  if (node.type === "AwaitExpression" || node["await"] === true) return "await";
  if (node.type === "ImportExpression") return "import()";
  if (node.type === "MemberExpression") return impureMember(node);
  if (identifierName(node["callee"]) !== "Date") return undefined;
  if (node.type === "CallExpression") return "Date()";
  const given = node["arguments"];
  return Array.isArray(given) && given.length === 0 ? "new Date()" : undefined;
}

function impureMember(node: SyntaxNode): string | undefined {
  const property = node["property"];
  const key = identifierName(property) ?? (isNode(property) ? property["value"] : undefined);
  const member = `${identifierName(node["object"]) ?? ""}.${String(key)}`;
  return IMPURE_MEMBERS.has(member) ? member : undefined;
}

// --- Dependencies point one way -------------------------------------------------------------------------------

/** errors, store, clock ← engine ← runtime ← index ← testing. `context` and `definition` hold the types that all layers speak. */
const CORE_LAYERS = ["base", "engine", "runtime", "index", "testing"] as const;
const CORE_BASE = new Set([
  "errors",
  "store",
  "store-looks",
  "store-writes",
  "clock",
  "context",
  "definition",
]);

function coreLayer(path: string): number {
  const [top = ""] = path.slice("packages/core/src/".length).split("/");
  const name = top.replace(/\.ts$/, "");
  if (CORE_BASE.has(name)) return 0;
  const layer = CORE_LAYERS.indexOf(name as (typeof CORE_LAYERS)[number]);
  // What else lies at the top, such as `workflow.ts`, is for users to call: it stands beside the runtime.
  return layer === -1 ? CORE_LAYERS.indexOf("runtime") : layer;
}

export const dependenciesPointOneWay: Rule = (file) => {
  if (!isCode(file.path)) return [];
  return syntaxOf(file).imports.flatMap(({ from, at }) => {
    const complaint = from.startsWith(".")
      ? wrongFile(file.path, join(dirname(file.path), from))
      : wrongPackage(file.path, from);
    return complaint === undefined ? [] : [problem(file, at, complaint)];
  });
};

function wrongFile(path: string, target: string): string | undefined {
  if (leavesHome(path, target)) return `${target} is not this package's: import an entry point`;
  if (!path.startsWith("packages/core/src/")) return undefined;
  const [own, other] = [coreLayer(path), coreLayer(target)];
  if (other <= own) return undefined;
  return `${CORE_LAYERS[own]} cannot import from ${CORE_LAYERS[other]} (${target})`;
}

/** Relative imports stay in the package; those of what is published stay in `src`, beside the manifest. */
function leavesHome(path: string, target: string): boolean {
  const [home] =
    /^(?:packages|examples)\/[^/]+\/|^bench\/|^test\/(?:browser|proof|postgres-server|recipes)\//.exec(
      path,
    ) ?? [];
  if (home === undefined || target === `${home}package.json`) return false;
  const source = `${home}src/`;
  return !target.startsWith(path.startsWith(source) ? source : home);
}

const ENTRY_POINTS = new Set(["@everstep/core", "@everstep/core/testing"]);

function wrongPackage(path: string, from: string): string | undefined {
  if (!from.startsWith("@everstep/")) return undefined;
  if (path.startsWith("packages/core/src/")) return `core cannot import ${from}`;
  if (path.startsWith("packages/adapters/src/")) {
    return from === "@everstep/core" ? undefined : `an adapter cannot import ${from}, only @everstep/core`;
  }
  if (from === "@everstep/core/testing" && isProduct(path)) return "only tests import @everstep/core/testing";
  if (/^@everstep\/postgres-server(?:\/|$)/.test(from))
    return needsServer(path) ? undefined : `only tests, benchmarks and the demo import ${from}`;
  if (from === "@everstep/browser") return isProduct(path) ? `only tests import ${from}` : undefined;
  if (/^@everstep\/example-ecommerce(?:\/|$)/.test(from))
    return /^test\/(?:proof|recipes)\//.test(path)
      ? undefined
      : `only the proof and the recipes import ${from}`;
  if (ENTRY_POINTS.has(from) || /^@everstep\/adapters\/[a-z-]+$/.test(from)) return undefined;
  return `${from} is not a published entry point`;
}

/** A server of one's own: for tests, benchmarks and the demo. */
function needsServer(path: string): boolean {
  return !isProduct(path) || /^examples\/[^/]+\/src\/demo\//.test(path);
}

// --- Everything fits on a screen ------------------------------------------------------------------------------

export const fileIsShort: Rule = (file) => {
  if (!isProduct(file.path) || !isCode(file.path)) return [];
  const lines = file.text.trimEnd().split("\n").length;
  return lines > FILE_LINES_MAX ? [`${file.path}: ${lines} lines, at most ${FILE_LINES_MAX}`] : [];
};

export const functionsAreShort: Rule = (file) => {
  if (!isProduct(file.path) || !isCode(file.path)) return [];
  return [...descend(syntaxOf(file).root)].flatMap(({ node }) => {
    if (!/^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|StaticBlock)$/.test(node.type))
      return [];
    const lines = file.text.slice(node.start, node.end).split("\n").length;
    if (lines <= FUNCTION_LINES_MAX) return [];
    return [problem(file, node.start, `a function of ${lines} lines, at most ${FUNCTION_LINES_MAX}`)];
  });
};

// --- Names ----------------------------------------------------------------------------------------------------

const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Words that a file bears when nobody has said what it is for. */
const EMPTY_WORDS = new Set(["util", "utils", "helper", "helpers", "type", "types", "common", "manager"]);

export const nameSaysWhat: Rule = ({ path }) => {
  if (!isCode(path)) return [];
  const [stem = ""] = basename(path).split(".");
  if (!KEBAB_CASE.test(stem)) return [`${path}: file names are kebab-case`];
  const empty = [...dirname(path).split("/"), ...stem.split("-")].find((word) => EMPTY_WORDS.has(word));
  return empty === undefined ? [] : [`${path}: "${empty}" does not say what is in it`];
};

export const indexOnlyReexports: Rule = (file) => {
  if (!/^packages\/[^/]+\/src\/(?:.*\/)?index\.ts$/.test(file.path)) return [];
  const body = syntaxOf(file).root["body"];
  const statements = (Array.isArray(body) ? body : []).filter(isNode);
  return statements
    .filter((node) => !(node.type.startsWith("Export") && isNode(node["source"])))
    .map((node) => problem(file, node.start, "an index.ts only re-exports"));
};

// --- Words ----------------------------------------------------------------------------------------------------

/** In pieces, for this file is read as well. */
const UNFINISHED = new RegExp(
  String.raw`\b(?:${["TO|DO", "FIX|ME", "eslint-dis|able", "ts-ig|nore", "ts-noch|eck", "biome-ig|nore"]
    .map((word) => word.replace("|", ""))
    .join("|")})\b`,
  "g",
);

export const nothingUnfinished: Rule = (file) =>
  [...file.text.matchAll(UNFINISHED)].map(({ index, 0: word }) =>
    problem(file, index, `${word}: finish it, or open an issue`),
  );

/** The linter may be told to look away for one line, with the reason. */
export const exceptionsGiveReasons: Rule = (file) =>
  [...file.text.matchAll(/oxlint-disable(?!\S* [^\n]*-- \S)/g)].map(({ index }) =>
    problem(file, index, "say why after ` -- `"),
  );

/** No system runs an effect beyond its own database one time and no more; only a transaction may claim it. */
export const promisesNoMiracle: Rule = (file) => {
  if (!/\.(?:md|ts)$/.test(file.path)) return [];
  return [...file.text.matchAll(/exactly[\s*/>#-]+once/gi)].flatMap(({ index, 0: words }) => {
    const from = file.text.lastIndexOf("\n", index) + 1;
    const to = file.text.indexOf("\n", index + words.length);
    const lines = file.text.slice(from, to === -1 ? undefined : to);
    return /transaction/i.test(lines)
      ? []
      : [problem(file, index, `"${words}" holds within a transaction only`)];
  });
};

// --- Manifests ------------------------------------------------------------------------------------------------

/** What is published is what runs here, without the condition that only this repository uses. */
export const publishesWhatItRuns: Rule = (file) => {
  if (!/^packages\/[^/]+\/package\.json$/.test(file.path)) return [];
  const manifest = JSON.parse(file.text) as { exports?: object; publishConfig?: { exports?: object } };
  const published = JSON.stringify(manifest.publishConfig?.exports);
  const own = JSON.stringify(manifest.exports, (key, value: unknown) =>
    key === "@everstep/source" ? undefined : value,
  );
  return own === published ? [] : [`${file.path}: publishConfig.exports differs from exports`];
};

const CORE_DEPENDENCIES = new Set(["@standard-schema/spec", "devalue"]);

export const coreStaysLight: Rule = (file) => {
  if (file.path !== "packages/core/package.json") return [];
  const { dependencies = {} } = JSON.parse(file.text) as { dependencies?: Record<string, string> };
  const extra = Object.keys(dependencies).filter((name) => !CORE_DEPENDENCIES.has(name));
  return extra.map((name) => `${file.path}: core cannot depend on ${name}`);
};

export const RULES: Readonly<Record<string, Rule>> = {
  engineIsPure,
  dependenciesPointOneWay,
  fileIsShort,
  functionsAreShort,
  nameSaysWhat,
  indexOnlyReexports,
  nothingUnfinished,
  exceptionsGiveReasons,
  promisesNoMiracle,
  publishesWhatItRuns,
  coreStaysLight,
};
