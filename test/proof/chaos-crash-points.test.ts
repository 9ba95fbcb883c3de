/** The points at which the kill test ends its processes: where they are, and that each comes before or after what it says. */
import type { Batch, RunDetails, Write } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { expect, test } from "vitest";
import { CANARY, cipher, deciphered } from "./chaos/canary.ts";
import { nameOf, pointsOf, type Trap, TRAPS } from "./chaos/crash-points.ts";
import { MortalStore, type Ownership } from "./chaos/mortal-store.ts";
import { ok, runOf } from "./chaos/sound-evidence.ts";

class Fall extends Error {}

const START: Write = {
  kind: "start",
  claim: true,
  run: {
    id: "five-1",
    workflow: "five",
    version: "1",
    input: "1",
    inputHash: "1",
    priority: 0,
    tags: {},
    timeoutMs: null,
  },
};

/** A store in which falling is an error, for this process goes on. */
async function mortal(...traps: readonly Trap[]): Promise<{
  start: () => Promise<unknown>;
  count: () => Promise<number>;
  owned: Ownership[];
  claimAll: () => Promise<unknown>;
}> {
  const owned: Ownership[] = [];
  const inner = memoryStore();
  const store = new MortalStore(inner, {
    own: async (runs) => void owned.push(...runs),
    fall: (trap) => {
      throw new Fall(nameOf(trap));
    },
    failed: () => {},
  });
  const workflows = [{ name: "five", version: "1", on: null, priority: 0, timeoutMs: null }];
  const { worker } = await store.join({ workflows, leaseMs: 5_000, host: "here", pid: 1 });
  store.set(traps);
  const batch: Batch<never> = { writes: [START], lease: { worker, batch: 1 } };
  return {
    start: async () => store.commit(batch),
    count: () => store.count({}),
    claimAll: () => store.claim({ worker, limit: 1, workflows, except: [], inboxes: [] }),
    owned,
  };
}

test("names every kind of write", () => {
  const advance = { kind: "advance", runId: "a", attempt: 1 } as const;
  const entry = { seq: 1, key: "", at: 1 } as const;
  const message = { type: "cancel", id: "1", name: "", payload: "" } as const;
  const writes: readonly Write[] = [
    START,
    { ...START, claim: false },
    {
      ...advance,
      entries: [
        { ...entry, kind: "step" },
        { ...entry, kind: "patched" },
        { ...entry, kind: "call" },
      ],
      then: { do: "release" },
    },
    { kind: "message", runId: "a", message },
    { kind: "operate", runId: "a", operation: "resume", id: "1", value: "" },
    { kind: "leave" },
  ];
  const points = ["start born claimed", "start", "step", "call", "release", "cancel", "resume", "leave"];
  expect(pointsOf(writes)).toEqual(points);
});

test("falls before a call with nothing done, and after it with all done and nobody told", async () => {
  const point = "start born claimed";
  for (const [when, count] of [
    ["before", 0],
    ["after", 1],
  ] as const) {
    const store = await mortal({ point, when });
    await expect(store.start()).rejects.toThrow(new Fall(`kills ${when} ${point}`));
    expect(await store.count()).toBe(count);
    expect(store.owned).toEqual([]);
  }
});

test("tells of each run that it was given, first of all", async () => {
  const store = await mortal(...TRAPS.filter(({ point }) => point === "stick"));
  await store.start();
  expect(store.owned).toEqual([{ run: "five-1", attempt: 1, worker: 1, entries: 0 }]);
  await store.claimAll();
  expect(store.owned.length).toBe(1);
});

test("what is stored has no secret in it, and is deciphered for the judge", () => {
  const sealed = (text: string): string => cipher.encode(text, { runId: "five-1", key: "" });
  const secret = JSON.stringify(CANARY);
  const plain = runOf("five", [ok("one", CANARY)], { input: secret, error: null });
  const stored: RunDetails = {
    ...plain,
    run: { ...plain.run, input: sealed(secret) },
    journal: plain.journal.map((entry) => ({ ...entry, value: sealed(entry.value ?? "") })),
  };
  expect(JSON.stringify(stored)).not.toContain(CANARY);
  expect(deciphered(stored)).toEqual(plain);
});
