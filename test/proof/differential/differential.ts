/** The same programs on every store, with and without crashes: what is certain of each has to be the same. */
import { isDeepStrictEqual } from "node:util";
import { canonical, type Canonical } from "../programs/canonical.ts";
import { kinFindings } from "../programs/judge-family.ts";
import { rowFindings } from "../programs/judge-rows.ts";
import { formatProgram } from "../programs/line.ts";
import type { Program } from "../programs/program.ts";
import { Random } from "../random.ts";
import { samplePrograms } from "../simulated/drawn.ts";
import { memoryGround, postgresGround, sqliteGround } from "./grounds.ts";
import { type Ground, hastened, runOn } from "./real-run.ts";

export interface DifferentialOptions {
  readonly seed: string;
  readonly programs: number;
  /** Processes that die on each store. */
  readonly crashes: number;
  readonly databaseUrl: string;
}

export interface Differential {
  readonly programs: number;
  readonly crashes: Readonly<Record<string, number>>;
  /** One line each, with the program and both dumps. */
  readonly violations: readonly string[];
}

export async function differential(options: DifferentialOptions): Promise<Differential> {
  const { seed, databaseUrl } = options;
  const programs = samplePrograms(options.programs, seed).map(hastened);
  const plain = memoryGround();
  const expected = await dumpsOn(plain, programs, { crashes: 0, random: new Random(seed) });
  await plain.close();
  const grounds = [memoryGround(), await sqliteGround(), await postgresGround(databaseUrl)];
  const crashes: Record<string, number> = {};
  const violations: string[] = [];
  for (const ground of grounds) {
    const random = new Random(`${seed} ${ground.name}`);
    try {
      const found = await dumpsOn(ground, programs, { crashes: options.crashes, random });
      crashes[ground.name] = found.crashes;
      violations.push(
        ...found.broken.map((finding) => `${ground.name}: ${finding}`),
        ...differences(ground.name, programs, { expected: expected.dumps, found: found.dumps }),
      );
    } finally {
      await ground.close();
    }
  }
  return { programs: programs.length, crashes, violations };
}

async function dumpsOn(
  ground: Ground,
  programs: readonly Program[],
  how: { readonly crashes: number; readonly random: Random },
): Promise<{
  readonly dumps: readonly Canonical[];
  readonly crashes: number;
  readonly broken: readonly string[];
}> {
  const { evidence, crashes } = await runOn(ground, programs, how);
  const families = evidence.map((own) => [own, ...(own.others ?? [])]);
  const broken = families.flatMap((family) => [...kinFindings(family), ...family.flatMap(rowFindings)]);
  const dumps = programs.flatMap((program, index) => {
    const own = evidence[index];
    return own === undefined ? [] : [canonical(program, own)];
  });
  return { dumps, crashes, broken };
}

function differences(
  name: string,
  programs: readonly Program[],
  { expected, found }: { readonly expected: readonly Canonical[]; readonly found: readonly Canonical[] },
): string[] {
  return programs.flatMap((program, index) => {
    if (isDeepStrictEqual(found[index], expected[index])) return [];
    return [
      `${formatProgram(program)} on ${name}: ${JSON.stringify(found[index])}, in memory: ${JSON.stringify(expected[index])}`,
    ];
  });
}
