import { expect, test } from "vitest";
import { Caught, chargerOf, type Scene } from "../src/demo/caught.ts";
import type { Effect } from "../src/books/effect-ledger.ts";

const begin = (pid: number, run: string, entry = "step charge-payment"): Effect => ({
  event: "begin",
  run,
  entry,
  pid,
});

/** Process 1 has been killed while it charged `o-1`. */
const scene: Scene = {
  killed: [1],
  charged: ["o-1"],
  effects: [begin(1, "o-1")],
  isJournaled: () => false,
};

function suspectedIn(change: Partial<Scene>): number {
  const caught = new Caught();
  caught.note({ ...scene, ...change });
  return caught.suspected;
}

test("an order is caught when it was charged, and only the process that died knew it", () => {
  expect(suspectedIn({})).toBe(1);
  expect(suspectedIn({ charged: [] })).toBe(0);
  expect(suspectedIn({ isJournaled: (run, entry) => `${run} ${entry}` === "o-1 step charge-payment" })).toBe(
    0,
  );
});

test("an order that a living process charges is not caught", () => {
  expect(suspectedIn({ killed: [2] })).toBe(0);
  expect(suspectedIn({ effects: [begin(1, "o-1"), begin(2, "o-1")] })).toBe(0);
  expect(suspectedIn({ effects: [begin(1, "o-1"), begin(2, "o-1")], killed: [1, 2] })).toBe(1);
});

test.for(["step charge-payment", "undo charge-payment"])("it is proven by the %s of another", (entry) => {
  const caught = new Caught();
  caught.note(scene);
  expect(caught.proven(scene.effects)).toBe(0);
  expect(caught.proven([...scene.effects, begin(2, "o-2"), begin(2, "o-1", "step confirm-order")])).toBe(0);
  expect(caught.proven([...scene.effects, begin(2, "o-1", entry)])).toBe(1);
});

test("who charges an order is who began last", () => {
  expect(chargerOf("o-1", [begin(1, "o-1"), begin(2, "o-1"), begin(3, "o-2")])).toBe(2);
  expect(chargerOf("o-3", [begin(1, "o-1")])).toBeUndefined();
});
