/** Crash tests of a run that somebody cancels meanwhile: steps are undone of which nobody knows whether they happened. */
import { expect, test } from "vitest";
import { RunEndedError, type Workflow, workflow } from "../../src/index.ts";
import { crashTest, CrashTestError, type CrashTestOptions } from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

class Till {
  readonly entries = new Map<string, number>();
  async enter(key: string, cents: number): Promise<void> {
    this.entries.set(key, cents);
  }
  get sum(): number {
    return [...this.entries.values()].reduce((sum, cents) => sum + cents, 0);
  }
}
const sale = (undo: (till: Till, key: string, outcome: string) => Promise<void>) => (till: Till) =>
  workflow({ name: "sale" }, (ctx) =>
    ctx.step("charge", ({ idempotencyKey }) => till.enter(idempotencyKey, 100), {
      compensate: ({ outcome }, { idempotencyKey }) => undo(till, idempotencyKey, outcome),
    }),
  );
const options = (sameEnd: boolean): CrashTestOptions<unknown, Till> => ({
  input: undefined,
  world: () => new Till(),
  invariant: ({ world, status }) => expect(world.sum).toBe(status === "completed" ? 100 : 0),
  drive: async ({ client }, runId) => {
    await client.runs.cancel(runId).catch((error: unknown) => {
      if (!(error instanceof RunEndedError)) throw error;
    });
  },
  sameEnd,
});
async function failureOfSale(
  definition: (till: Till) => Workflow<unknown, void>,
  how: CrashTestOptions<unknown, Till>,
): Promise<CrashTestError> {
  const error = await rejection(crashTest(definition, how));
  expect(error).toBeInstanceOf(CrashTestError);
  return error as CrashTestError;
}

const looks = sale(async (till, key) => {
  if (till.entries.has(key.replace(/\/undo$/, ""))) await till.enter(key, -100);
});

test("a run that is canceled meanwhile may end either way, where the test says so", async () => {
  await crashTest(looks, options(false));
  expect((await failureOfSale(looks, options(true))).message).toContain(
    "it ended completed instead of canceled",
  );
});

test("a cancel finds the compensation that does not look what became of an interrupted step", async () => {
  const forgets = sale(async (till, key, outcome) => {
    if (outcome === "completed") await till.enter(key, -100);
  });
  const blind = sale((till, key) => till.enter(key, -100));
  expect((await failureOfSale(forgets, options(false))).crashes).toBe("effect 1 after");
  expect((await failureOfSale(blind, options(false))).crashes).toBe("effect 1 before");
});
