/** A part of the simulated campaign, on all cores: each share of it in a process of its own. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { PartName, Sizes } from "./parts.ts";
import { sumOf, type Tried } from "./tally.ts";

const program = fileURLToPath(new URL("process.ts", import.meta.url));
const OUTPUT_MAX = 64 * 1024 * 1024;

export async function tryOnAllCores(part: PartName, sizes: Sizes, seed: string): Promise<Tried> {
  const shares = Math.max(1, availableParallelism());
  const all = Array.from({ length: shares }, (_, index) =>
    tryShare(JSON.stringify({ part, share: { seed, index, shares }, sizes })),
  );
  return sumOf(await Promise.all(all));
}

async function tryShare(order: string): Promise<Tried> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    // No stack is looked at: a violation names the case that repeats it.
    ["--conditions=@everstep/source", "--stack-trace-limit=0", program, order],
    { maxBuffer: OUTPUT_MAX },
  );
  return JSON.parse(stdout) as Tried;
}
