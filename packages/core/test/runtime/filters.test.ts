/** A filter that is not what was meant must not select every run there is. */
import { describe, expect, test } from "vitest";
import { type PurgeFilter, type RunFilter, workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

const waiting = workflow({ name: "waiting" }, (ctx) => ctx.waitForSignal("go"));

async function one() {
  const world = new World();
  const process = await world.worker([waiting]);
  const { client } = process;
  await process.start(waiting, undefined, { id: "w", tags: { customer: "ada" } });
  return { world, client, runs: client.runs };
}

const ODD: readonly (readonly [unknown, string])[] = [
  [{ workfow: "order" }, 'has no "workfow"; it has ids, .*workflow'],
  [{ status: "stucked" }, 'status must be one of ready, running, waiting, .*, not "stucked"'],
  [{ status: ["waiting", null] }, "status must be one of .*, not null"],
  [{ workflow: ["waiting"] }, "workflow must be a text"],
  [{ version: 1 }, "version must be a text, not 1"],
  [{ parent: {} }, "parent must be a text"],
  [{ tag: "ada" }, "tag must be tags with their values"],
  [{ tag: null }, "tag must be tags with their values"],
  [{ tag: { customer: undefined } }, "tag.customer must be a text, not undefined"],
  [{ tag: { customer: 5 } }, "tag.customer must be a text, not 5"],
  [{ paused: null }, "paused must be true or false, not null"],
  [{ since: new Date(0) }, "since must be whole milliseconds since the epoch, not a Date: give its getTime"],
  [{ until: Number.NaN }, "until must be whole milliseconds since the epoch, not NaN"],
  [{ endedBefore: "2026" }, 'endedBefore must be whole milliseconds since the epoch, not "2026"'],
  [{ ids: "w" }, "ids must be a list of ids"],
  [{ ids: ["\0"] }, "a run id can't contain control characters"],
  [[], "a filter of runs is an object"],
  [null, "a filter of runs is an object, not null"],
];

describe("filters", () => {
  test.each(ODD)("%o is refused by whatever takes one, and nothing is done", async (odd, message) => {
    const { world, client, runs } = await one();
    const filter = odd as RunFilter;
    const refused = { code: "INVALID_ARGUMENT", message: expect.stringMatching(message) as string };
    await expect(runs.count(filter)).rejects.toMatchObject(refused);
    await expect(runs.cancel(filter)).rejects.toMatchObject(refused);
    if (!Array.isArray(odd) && odd !== null) {
      await expect(runs.list(filter)).rejects.toMatchObject(refused);
      if (!("ids" in filter || "status" in filter || "parent" in filter))
        await expect(runs.purge({ ...filter, olderThan: 0 } as PurgeFilter)).rejects.toMatchObject(refused);
    }
    await world.pass(5000);
    expect(await world.settle(client.get("w").status())).toBe("waiting");
  });

  test.each([{}, { tag: {} }, { workflow: undefined }])(
    "%o says nothing, so nobody is canceled",
    async (filter) => {
      const { world, runs } = await one();
      await expect(runs.cancel(filter as RunFilter)).rejects.toThrow("for all of them { since: 0 }");
      expect(await world.settle(runs.count(filter as RunFilter))).toBe(1);
    },
  );

  test.each([-1, 1.5, Number.NaN, "5"])("a limit of %o is refused", async (odd) => {
    const { client, runs } = await one();
    const limit = odd as number;
    for (const refused of [
      runs.list({ limit }),
      runs.pause({ since: 0 }, { limit }),
      runs.purge({ olderThan: 0 }, { limit }),
      client.events.list({ limit }),
    ])
      await expect(refused).rejects.toThrow(/limit must be a whole number/);
  });
});
