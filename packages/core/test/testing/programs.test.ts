/** Every small program: what the test worker makes of it, and what a replay makes of each beginning of its journal. */
import { strict as assert } from "node:assert";
import { expect, test } from "vitest";
import { type Replay, replay, type TestWorker, testWorker } from "../../src/testing/index.ts";
import { expectationOf, interpreter, type Program, programsOf } from "../support/programs.ts";

const PROGRAMS = [...programsOf(1), ...programsOf(2)];

async function execute(
  program: Program,
): Promise<{ readonly worker: TestWorker; readonly effects: string[] }> {
  const failed = new Set<string>();
  const effects: string[] = [];
  const definition = interpreter({
    effect: async (name) => void effects.push(name),
    failsNow: (name) => !failed.has(name) && failed.add(name) !== undefined,
  });
  const worker = await testWorker({ workflows: [definition], patience: 20, seed: program.join() });
  const run = await worker.start(definition, program, { id: "1" });
  for (const [index, part] of program.entries())
    if (part === "signal") await worker.signal(run, `signal-${index}`, `signal-${index}`);
  const { status, result } = expectationOf(program);
  const ended = worker.result(run);
  if (status === "completed") expect(await ended).toEqual(result);
  else await expect(ended).rejects.toThrow("declined");
  return { worker, effects };
}

test("each program comes to what it must, with every effect once", async () => {
  for (const program of PROGRAMS) {
    const { worker, effects } = await execute(program);
    const expected = expectationOf(program).effects.toSorted();
    assert.deepEqual(effects.toSorted(), expected, program.join());
    await worker.stop();
  }
});

test("each beginning of each journal goes on with the same code, and no body is called", async () => {
  const never = (): never => {
    throw new Error("a replay calls no body");
  };
  const definition = interpreter({ effect: never, failsNow: never });
  let replays = 0;
  for (const program of PROGRAMS) {
    const { worker } = await execute(program);
    const details = await worker.store.read("1");
    await worker.stop();
    const { journal = [] } = details ?? {};
    for (let length = 0; length <= journal.length; length++) {
      const cut = JSON.stringify({ ...details, journal: journal.slice(0, length) });
      const outcome = await replay(definition, cut);
      const what = `${program.join()}, ${length} of ${journal.length} entries: ${JSON.stringify(outcome)}`;
      assert.match(outcome.is, /going-on|waiting|ended/, what);
      if (length < journal.length - 1) assert.notDeepEqual("adds" in outcome && outcome.adds, ENDS, what);
      else assertEnded(outcome, program);
      replays++;
    }
  }
  expect(replays).toBeGreaterThan(PROGRAMS.length * 3);
});

const ENDS = ["end completed"];

function assertEnded(outcome: Replay, program: Program): void {
  assert.ok(outcome.is === "ended", program.join());
  const { status, result } = expectationOf(program);
  const [ended, value] =
    outcome.status === "completed" ? [outcome.status, outcome.result] : [outcome.status, undefined];
  assert.deepEqual([ended, value], [status, result], program.join());
}
