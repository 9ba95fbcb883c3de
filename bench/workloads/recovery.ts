import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Bed } from "../bed.ts";
import { sideBySide, until } from "../measure.ts";
import { FIVE_STEPS, type OnStep, orderWith } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const RUNS = 500;
const INTERRUPTED = "confirm";

export const recovery: Workload = {
  name: "recovery",
  about: "500 runs are in step 3 of 5 when their process is SIGKILLed; a new process completes them",
  metrics: [
    { key: "ms", label: "from the worker's start to the last completion", unit: "ms", atMost: 3_000 },
    { key: "processMs", label: "the same, from the process's start", unit: "ms" },
    { key: "firstMs", label: "from the worker's start to the first body", unit: "ms" },
    { key: "completedAgain", label: "completed steps that ran again", unit: "", atMost: 0 },
    { key: "interruptedAgain", label: "interrupted steps that ran again", unit: "" },
  ],
  phases: [
    { name: "crash", run: crash },
    { name: "recover", run: recover },
  ],
};

/** Each body leaves a line, which survives its process. */
function logOf({ folder }: Place): {
  readonly path: string;
  readonly write: (line: string) => void;
  close(): void;
} {
  const path = join(folder, "bodies.log");
  const fd = openSync(path, "a");
  return { path, write: (line) => void writeSync(fd, `${line}\n`), close: () => closeSync(fd) };
}

async function crash(place: Place): Promise<Figures> {
  const bed = new Bed(place);
  const log = logOf(place);
  const count = scaled(RUNS, place);
  let interrupted = 0;
  const onStep: OnStep = async (run, step) => {
    log.write(`${run} ${step}`);
    if (step !== INTERRUPTED) return;
    interrupted += 1;
    await new Promise(() => {});
  };
  const order = orderWith(onStep);
  await bed.work([order], count);
  await sideBySide({ width: 50, isOver: (begun) => begun >= count }, (no) =>
    bed.client.start(order, null, { id: `${place.seed}-${no}` }),
  );
  await until(() => interrupted === count);
  return place.killMe();
}

async function recover(place: Place): Promise<Figures> {
  const log = logOf(place);
  await using bed = new Bed(place);
  const count = scaled(RUNS, place);
  let firstAt: number | undefined;
  let lastSteps = 0;
  const onStep: OnStep = (run, step) => {
    firstAt ??= performance.now();
    if (step === FIVE_STEPS.at(-1)) lastSteps += 1;
    log.write(`${run} ${step}`);
  };
  const startedAt = performance.now();
  await bed.work([orderWith(onStep)], count);
  await until(() => lastSteps >= count); // so that the store is not asked meanwhile
  await until(async () => (await bed.store.count({ status: "completed" })) === count);
  const endedAt = performance.now();
  log.close();
  const twice = repeated(readFileSync(log.path, "utf8").trim().split("\n"));
  return {
    ms: endedAt - startedAt,
    processMs: endedAt,
    firstMs: (firstAt ?? Number.NaN) - startedAt,
    completedAgain: twice.filter((line) => !line.endsWith(INTERRUPTED)).length,
    interruptedAgain: twice.filter((line) => line.endsWith(INTERRUPTED)).length,
  };
}

function repeated(lines: readonly string[]): string[] {
  const seen = new Set<string>();
  return lines.filter((line) => seen.size === seen.add(line).size);
}
