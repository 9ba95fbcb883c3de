/**
 * The whole proof: simulated crashes, real kills, the same programs on every store, and mutants of the engine. Writes what came of it to
 * docs/proof.json and docs/proof.md, and ends with 1 when anything was found.
 *
 * --long for the form of a release; --seed n repeats it;
 * --only simulated,differential,sqlite,postgres,mutants runs some parts; --kills n kills so often on each store.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startPostgres } from "@everstep/postgres-server";
import { campaign, type Verdict } from "./chaos/campaign.ts";
import { postgresArena } from "./chaos/postgres-arena.ts";
import { sqliteArena } from "./chaos/sqlite-arena.ts";
import { missingIn } from "./chaos/summary.ts";
import { differential } from "./differential/differential.ts";
import { hunt } from "./mutants/hunt.ts";
import { pageOf } from "./page.ts";
import { type ChaosProof, type Proof, type Timed, violationsIn } from "./proof.ts";
import { PARTS, type PartName } from "./simulated/parts.ts";
import { tryOnAllCores } from "./simulated/shares.ts";
import type { Tried } from "./simulated/tally.ts";
import { type Form, LONG, SEED, SHORT } from "./sizes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const json = new URL("../../docs/proof.json", import.meta.url);
const page = new URL("../../docs/proof.md", import.meta.url);

/** The small disk, on which a campaign needs more room the longer it lasts. */
const DISK_MEGABYTES = 64;
const KILLS_PER_MEGABYTE = 15;

const ALL = ["simulated", "differential", "sqlite", "postgres", "mutants"] as const;
type Name = (typeof ALL)[number];

async function timed<T>(name: string, work: () => Promise<T>): Promise<T & Timed> {
  const startedAt = performance.now();
  const result = await work();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`${name}: ${seconds} s`);
  return { ...result, seconds, commit, seed };
}

async function simulated(form: Form, seed: string): Promise<NonNullable<Proof["simulated"]>> {
  const parts: Partial<Record<PartName, Tried & Timed>> = {};
  for (const part of PARTS)
    parts[part] = await timed(`simulated, ${part}`, () => tryOnAllCores(part, form.simulated, seed));
  return parts;
}

async function compared(form: Form, seed: string): Promise<NonNullable<Proof["differential"]>> {
  const server = await startPostgres();
  try {
    return await timed("differential", () =>
      differential({ ...form.differential, seed, databaseUrl: server.url }),
    );
  } finally {
    await server.stop();
  }
}

function chaosOf({ problems, summary, zombies }: Verdict): Omit<ChaosProof, keyof Timed> {
  const missing = missingIn(summary).map((name) => `void: ${name} never happened`);
  return { zombies, summary, violations: [...problems, ...missing] };
}

function diskMegabytesFor(kills: number): number {
  return DISK_MEGABYTES + Math.ceil(kills / KILLS_PER_MEGABYTE);
}

async function sqliteChaos({ chaos }: Form, seed: number): Promise<Omit<ChaosProof, keyof Timed>> {
  const { kills, runs } = chaos.sqlite;
  const arena = sqliteArena({ diskMegabytes: diskMegabytesFor(kills) });
  return chaosOf(await campaign({ kills, runs, arena, seed }));
}

async function postgresChaos({ chaos }: Form, seed: number): Promise<Omit<ChaosProof, keyof Timed>> {
  const { kills, runs } = chaos.postgres;
  const diskMegabytes = 4 * diskMegabytesFor(kills);
  return chaosOf(await campaign({ kills, runs, arena: await postgresArena(seed, { diskMegabytes }), seed }));
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
}

/** What was proven is what is committed, but for the page and the figures themselves. */
function commitOf(): string {
  const isChanged = git("status", "--porcelain", "--", ".", ":!docs/proof.*") !== "";
  return `${git("rev-parse", "--short", "HEAD")}${isChanged ? " with changes" : ""}`;
}

function formOf(form: Form): Form {
  const { chaos } = form;
  const kills = values.kills === undefined ? {} : { kills: Number(values.kills) };
  return {
    ...form,
    chaos: { sqlite: { ...chaos.sqlite, ...kills }, postgres: { ...chaos.postgres, ...kills } },
  };
}

function before(): Partial<Proof> {
  try {
    return JSON.parse(readFileSync(json, "utf8")) as Partial<Proof>;
  } catch {
    return {};
  }
}

const { values } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    seed: { type: "string", default: String(SEED) },
    only: { type: "string" },
    kills: { type: "string" },
  },
});
const form = formOf(values.long ? LONG : SHORT);
const { seed } = values;
const chosen = new Set<string>(values.only?.split(",") ?? ALL);
const unknown = [...chosen].filter((name) => !ALL.includes(name as Name));
if (unknown.length > 0 || ![seed, values.kills ?? "1"].every((text) => Number.isSafeInteger(Number(text)))) {
  console.error(`--only takes ${ALL.join(", ")}; --seed and --kills take whole numbers.`);
  process.exit(2);
}

const WORK: Readonly<Record<Name, () => Promise<Partial<Proof>>>> = {
  simulated: async () => ({ simulated: await simulated(form, seed) }),
  differential: async () => ({ differential: await compared(form, seed) }),
  sqlite: async () => ({ sqlite: await timed("kills on SQLite", () => sqliteChaos(form, Number(seed))) }),
  postgres: async () => ({
    postgres: await timed("kills on Postgres", () => postgresChaos(form, Number(seed))),
  }),
  mutants: async () => ({
    mutants: await timed("mutants", async () => ({
      verdicts: await hunt({ seed, processes: availableParallelism() }),
    })),
  }),
};

const commit = commitOf();
const head = {
  form: form.name,
  at: new Date().toISOString(),
  machine: `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown processor"}, Node.js ${process.versions.node}`,
};
console.log(`proof, ${head.form} form, seed ${seed}, commit ${commit}`);
const kept = before();
// Each part says of which commit it is.
let proof: Proof = kept.form === head.form ? { ...kept, ...head } : head;
for (const name of ALL) {
  if (!chosen.has(name)) continue;
  proof = { ...proof, ...(await WORK[name]()) };
  writeFileSync(json, `${JSON.stringify(proof, undefined, 2)}\n`);
  writeFileSync(page, pageOf(proof));
}
const violations = violationsIn(proof);
for (const violation of violations) console.error(violation);
console.log(`violations ${violations.length}`);
process.exitCode = violations.length === 0 ? 0 : 1;
