/** Something that is done to many runs, and does not come to its end. */
import { Client, type RunSummary, StoreUnavailableError } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { expect, test } from "vitest";
import { carryOut } from "../src/change/carry-out.ts";
import type { Change } from "../src/change/change.ts";

const RUNS = Array.from({ length: 100 }, (_, at) => ({ id: `run-${at}` }) as RunSummary);

function change(act: (id: string) => Promise<void>): Change {
  return {
    name: "resume",
    done: "resumed",
    statuses: [],
    refusal: () => undefined,
    act: (_, { id }) => act(id),
  };
}

const client = new Client({ store: memoryStore() });

test("an outage ends it: what was done is told, and the rest was not tried", async () => {
  const tried: string[] = [];
  const outcome = await carryOut(
    client,
    change(async (id) => {
      tried.push(id);
      if (id === "run-20") throw new StoreUnavailableError("it is out");
    }),
    RUNS,
    { interrupted: new AbortController().signal, progress: () => {} },
  );
  expect(outcome.failure).toBeInstanceOf(StoreUnavailableError);
  expect(outcome.left).toBe(RUNS.length - tried.length);
  expect(outcome.left).toBeGreaterThan(50);
  expect(outcome.done).toEqual(tried.filter((id) => id !== "run-20"));
  expect(outcome.unknown).toEqual(["run-20"]);
});

test("Ctrl-C ends it between two runs", async () => {
  const controller = new AbortController();
  const outcome = await carryOut(
    client,
    change(async (id) => {
      if (id === "run-5") controller.abort();
    }),
    RUNS,
    { interrupted: controller.signal, progress: () => {} },
  );
  expect(outcome).toMatchObject({ refused: [], failure: undefined });
  expect(outcome.done.length + outcome.left).toBe(RUNS.length);
  expect(outcome.left).toBeGreaterThan(50);
});

test("no more than sixteen are under way at a time, and each is told of", async () => {
  let underWay = 0;
  let most = 0;
  const counts: number[] = [];
  await carryOut(
    client,
    change(async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await Promise.resolve();
      underWay -= 1;
    }),
    RUNS,
    { interrupted: new AbortController().signal, progress: (count) => counts.push(count) },
  );
  expect(most).toBe(16);
  expect(counts).toEqual(RUNS.map((_, at) => at + 1));
});
