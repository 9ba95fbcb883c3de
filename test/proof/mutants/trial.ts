/** One process that goes through a slice of the campaign with a changed engine, or with the engine as it is. */
import { execFile, type ExecFileException } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PartName, Sizes } from "../simulated/parts.ts";
import type { Order } from "../simulated/process.ts";
import type { Tried } from "../simulated/tally.ts";
import { type Change, MUTANT_VARIABLE, NOT_BRED } from "./change.ts";

/** `found`: what was wrong, if anything · `failed`: it hung or died · `void`: the change could not be made. */
export type Outcome =
  | { readonly is: "found"; readonly violations: readonly string[] }
  | { readonly is: "failed"; readonly how: string }
  | { readonly is: "void"; readonly why: string };

/** A part of the campaign, and what it draws from. */
export interface Slice {
  readonly part: PartName;
  readonly seed: string;
}

/** Small, so that what is found soon is found fast. Only what a slice is made of counts here. */
const SIZES: Sizes = {
  exhaustive: 1,
  steps: 2,
  sampled: { statements: 2, oneIn: 2, faultsOneIn: 16 },
  pairs: { statements: 1, pointsMax: 20, oneIn: 3 },
  drawn: 8,
  series: 300,
  simulations: 150,
  repairs: 80,
};

const PROGRAM = fileURLToPath(new URL("../simulated/process.ts", import.meta.url));
const BREED = new URL("breed.ts", import.meta.url).href;
const OUTPUT_MAX = 64 * 1024 * 1024;

export function trySlice(
  { part, seed }: Slice,
  change: Change | undefined,
  limitMs: number,
): Promise<Outcome> {
  const order: Order = { part, share: { seed, index: 0, shares: 1 }, sizes: SIZES };
  const args = ["--conditions=@everstep/source", "--stack-trace-limit=0", PROGRAM, JSON.stringify(order)];
  const mutant = change === undefined ? {} : { [MUTANT_VARIABLE]: JSON.stringify(change) };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      change === undefined ? args : ["--import", BREED, ...args],
      { env: { ...process.env, ...mutant }, timeout: limitMs, killSignal: "SIGKILL", maxBuffer: OUTPUT_MAX },
      (error, stdout, stderr) => resolve(outcomeOf(error, stdout, stderr)),
    );
  });
}

function outcomeOf(error: ExecFileException | null, stdout: string, stderr: string): Outcome {
  if (error === null) return { is: "found", violations: (JSON.parse(stdout) as Tried).violations };
  const said = stderr.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? stderr.trim().slice(-200);
  if (error.code === NOT_BRED) return { is: "void", why: said };
  return { is: "failed", how: error.killed === true ? "it hung" : `it died: ${said}` };
}
