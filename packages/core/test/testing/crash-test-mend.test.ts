/** Crash tests of runs that get stuck as their code says, and are mended by a person. */
import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { crashTest, type Outside } from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

/** It knows no idempotency keys. */
class Bank {
  readonly charges: string[] = [];
  async charge(order: string): Promise<string> {
    this.charges.push(order);
    return `ch_${this.charges.length}`;
  }
}

const order = (bank: Bank) =>
  workflow({ name: "order" }, (ctx) =>
    ctx.step("charge", () => bank.charge(ctx.run.id), { inDoubt: "stick" }),
  );

const options = {
  input: undefined,
  world: () => new Bank(),
  invariant: ({ world }: { readonly world: Bank }) => expect(world.charges).toHaveLength(1),
};

test("a person finds out what became of a step that is in doubt", async () => {
  const { faults } = await crashTest(order, {
    ...options,
    mend: async ({ client, world }, runId) => {
      if (world.charges.length === 0) await client.runs.resume(runId);
      else await client.runs.resolve(runId, "charge", { result: "ch_1", because: "the bank has it" });
    },
  });
  expect(faults["effect after"]).toBe(1);
});

test("a person who does the wrong thing is found out, and so is a test without one", async () => {
  const blind = ({ client }: Outside<Bank>, runId: string): Promise<void> => client.runs.resume(runId);
  const found = await rejection(crashTest(order, { ...options, mend: blind }));
  expect(found).toMatchObject({ name: "CrashTestError", crashes: "effect 1 after" });
  expect((await rejection(crashTest(order, options))).message).toContain("run run-1 is stuck (IN_DOUBT)");
});

test("a run that gets stuck again and again is given up", async () => {
  const broken = workflow({ name: "broken" }, () => {
    throw new TypeError("undefined is not a function");
  });
  const mend = ({ client }: Outside<undefined>, runId: string): Promise<void> => client.runs.resume(runId);
  expect((await rejection(crashTest(broken, { input: undefined, mend }))).message).toContain(
    "without any crash: L1: run run-1 is stuck (BUG)",
  );
});
