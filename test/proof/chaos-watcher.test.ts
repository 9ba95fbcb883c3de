/** The watcher of the kill test, shown runs that change as no run may. */
import { type Entry, type RunDetails, StoreUnavailableError } from "@everstep/core";
import { expect, test } from "vitest";
import type { Mark } from "./chaos/ledger-events.ts";
import { Watcher } from "./chaos/watcher.ts";

const ENTRY = { seq: 1, kind: "step", key: "one", at: 1, attempt: 1 } as const;
const RUN = { id: "five-1", end: null, owner: null, dueAt: null } as const;

/** Only what the watcher looks at. */
function detailsOf(run: Partial<RunDetails["run"]>, journal: readonly Entry[], now: number = 0): RunDetails {
  return { run: { ...RUN, ...run }, journal, now } as unknown as RunDetails;
}

/** A watcher that sees one of these at each look. */
function watcherOf(...looks: readonly (RunDetails | undefined | Error)[]): {
  watcher: Watcher;
  marks: Mark[];
} {
  const left = [...looks];
  const marks: Mark[] = [];
  const read = async (): Promise<RunDetails | undefined> => {
    const look = left.shift();
    if (look instanceof Error) throw look;
    return look;
  };
  return { watcher: new Watcher({ read }, (more) => marks.push(...more)), marks };
}

test("marks each settlement when it is first seen, and finds nothing wrong with a journal that grows", async () => {
  const { watcher, marks } = watcherOf(
    detailsOf({}, []),
    detailsOf({}, [ENTRY]),
    detailsOf({ end: "completed" }, [ENTRY, { ...ENTRY, seq: 2, kind: "undo" }]),
  );
  const looks = [await watcher.look("five-1"), await watcher.look("five-1"), await watcher.look("five-1")];
  expect(looks).toEqual(["open", "open", "ended"]);
  expect(watcher.problems).toEqual([]);
  expect(marks).toEqual([
    { run: "five-1", step: "one" },
    { run: "five-1", step: "one/undo" },
  ]);
});

test("looks again at a store that did not answer, and forgets only what is not there", async () => {
  const { watcher } = watcherOf(new StoreUnavailableError("out"), undefined);
  watcher.follow("five-1");
  await watcher.forgetIfAbsent("five-1");
  expect([...watcher.open]).toEqual(["five-1"]);
  await watcher.forgetIfAbsent("five-1");
  expect([...watcher.open]).toEqual([]);
});

const HEALED = [detailsOf({}, [], 10_000), detailsOf({ dueAt: 1_000 }, [], 15_000)];

const WRONG: readonly (readonly [number: string, what: string, looks: readonly RunDetails[]])[] = [
  ["I10", "an end that changes", [detailsOf({ end: "completed" }, []), detailsOf({ end: "failed" }, [])]],
  ["I10", "an end that is none", [detailsOf({ end: "completed" }, []), detailsOf({}, [])]],
  ["I11", "an entry that changes", [detailsOf({}, [ENTRY]), detailsOf({}, [{ ...ENTRY, key: "two" }])]],
  ["I11", "an entry that is gone", [detailsOf({}, [ENTRY]), detailsOf({}, [])]],
  ["L2", "a run that is due and not claimed", [...HEALED, detailsOf({ dueAt: 1_000 }, [], 15_001)]],
];

for (const [number, what, looks] of WRONG) {
  test(`${number}: ${what}`, async () => {
    const { watcher } = watcherOf(...looks);
    if (number === "L2") watcher.healed();
    for (const _ of looks.slice(1)) await watcher.look("five-1");
    expect(watcher.problems).toEqual([]);
    await watcher.look("five-1");
    expect(watcher.problems.map((problem) => problem.split(" ")[0])).toEqual([number]);
  });
}
