/** `client.runs` and `client.workflows`: pausing, resuming and canceling, one run or many, and who did it. */
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { type Codec, FatalError, StoreUnavailableError, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

const waiting = workflow<string, string>({ name: "waiting" }, async (ctx, how) => {
  if (how === "fail") throw new FatalError("no");
  if (how === "bug") throw new TypeError("bug");
  return `got ${await ctx.waitForSignal<string>("go")}`;
});

/** Runs `w1` … `w<n>` that wait, and one each that failed and is stuck. */
async function many(count: number) {
  const world = new World();
  const process = await world.worker([waiting], { concurrency: 500 });
  const { client } = process;
  for (let n = 1; n <= count; n++) await process.start(waiting, "wait", { id: `w${n}` });
  await process.start(waiting, "fail", { id: "failed" });
  await process.start(waiting, "bug", { id: "stuck" });
  await world.passUntil(() => world.run("stuck").stuck !== null);
  await world.pass(5000);
  return { world, process, client, runs: client.runs };
}

describe("pause and resume", () => {
  test("a paused run does not go on, whatever it gets, until it is resumed", async () => {
    const { world, client, runs } = await many(1);
    await world.settle(runs.pause("w1", { by: "ada", because: "a wrong price" }));
    await world.settle(client.get("w1").signal("go", "it"));
    await world.pass(60_000);
    expect(await world.settle(client.get("w1").status())).toBe("waiting");
    const { runs: paused } = await world.settle(runs.list({ paused: true }));
    expect(paused).toMatchObject([{ id: "w1", paused: { by: "ada", because: "a wrong price" } }]);
    expect(await world.settle(runs.why("w1"))).toMatch(
      /^Run w1 of waiting version 1 is paused since .* by ada: a wrong price\. Resume it with client\.runs\.resume\("w1"\)\.$/,
    );
    await world.settle(runs.resume("w1", { by: "bob" }));
    expect(await world.settle(client.get("w1").result())).toBe("got it");
    const { journal, paused: none } = await world.settle(runs.read("w1"));
    expect(none).toBeNull();
    expect(journal.filter(({ kind }) => kind === "pause" || kind === "resume")).toMatchObject([
      { kind: "pause", value: { by: "ada", because: "a wrong price" } },
      { kind: "resume", value: { by: "bob", because: null } },
    ]);
  });

  test("who did it is the user of this process unless somebody else is named", async () => {
    const { world, runs } = await many(1);
    await world.settle(runs.pause("w1"));
    const { paused } = await world.settle(runs.read("w1"));
    expect(paused?.by).toMatch(/^.+@/);
    expect(paused?.by?.endsWith(`@${hostname()}`)).toBe(true);
  });

  test("what can't be meant rejects, and throws nothing at once", async () => {
    const { runs } = await many(1);
    const by = "x".repeat(2001);
    for (const refused of [
      runs.resolve("w1", "step", {}),
      runs.purge(""),
      runs.cancel("w1", { by }),
      runs.skip("w1", "step", { by }),
    ])
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("is refused where it does not fit", async () => {
    const { world, runs } = await many(1);
    for (const id of ["failed", "stuck"])
      expect(await rejection(world.settle(runs.pause(id)))).toMatchObject({ code: "RUN_STATE" });
    expect(await rejection(world.settle(runs.resume("w1")))).toMatchObject({ code: "RUN_STATE" });
    expect(await rejection(world.settle(runs.pause("nobody")))).toMatchObject({ code: "RUN_NOT_FOUND" });
    await expect(runs.pause("w1", { by: "x".repeat(2001) })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("the reason is sealed; without the key it is still seen that the run is paused", async () => {
    const world = new World();
    const codec: Codec = { encode: (text) => `sealed ${text}`, decode: (text) => text.slice(7) };
    const process = await world.worker([waiting], { codec });
    await process.start(waiting, "wait", { id: "r" });
    await world.pass(5000);
    await world.settle(process.client.runs.pause("r", { by: "ada", because: "card 4242" }));
    expect(world.run("r").paused?.note).toMatch(/^sealed /);
    expect(await world.settle(process.client.runs.why("r"))).toContain("by ada: card 4242");
    const blind = world.process().client.runs;
    expect((await world.settle(blind.list())).runs).toMatchObject([{ id: "r", paused: { by: null } }]);
  });
});

describe("many runs at once", () => {
  test("all that the filter finds and that it fits are done, the others are named with the reason", async () => {
    const { world, runs } = await many(230);
    const answer = await world.settle(runs.pause({ workflow: "waiting" }, { because: "a wrong price" }));
    expect(answer.done).toBe(230);
    expect(answer.refused.map(({ id, error }) => `${id} ${error.name}`)).toEqual([
      "failed RunStateError",
      "stuck RunStateError",
    ]);
    expect(await world.settle(runs.count({ paused: true }))).toBe(230);
    expect(await world.settle(runs.resume({ paused: true }))).toEqual({ done: 230, refused: [] });
    expect(await world.settle(runs.count({ paused: true }))).toBe(0);
  });

  test("no more than the limit, the oldest first", async () => {
    const { world, runs } = await many(5);
    expect(await world.settle(runs.cancel({ status: "waiting" }, { limit: 2 }))).toEqual({
      done: 2,
      refused: [],
    });
    await world.pass(5000);
    const { runs: canceled } = await world.settle(runs.list({ status: "canceled", order: "oldest" }));
    expect(canceled.map(({ id }) => id)).toEqual(["w1", "w2"]);
  });

  test("a run that does not go on like the others spoils nothing", async () => {
    const { world, runs } = await many(2);
    const answer = await world.settle(runs.retry({ since: 0 }));
    expect(answer.done).toBe(1);
    expect(answer.refused.map(({ id }) => id).toSorted()).toEqual(["stuck", "w1", "w2"]);
  });

  test("a filter that says nothing is refused: it would be every run", async () => {
    const { world, runs } = await many(1);
    for (const filter of [{}, { workflow: undefined as unknown as string }])
      expect(await rejection(world.settle(runs.cancel(filter)))).toMatchObject({ code: "INVALID_ARGUMENT" });
    await world.pass(5000);
    expect(await world.settle(runs.count({ status: "waiting" }))).toBe(1);
  });

  test("a store that is out ends it: nobody is told that a run was refused for that", async () => {
    const { world, process } = await many(3);
    const other = world.process();
    other.store.commit = () => Promise.reject(new StoreUnavailableError("out"));
    const outage = rejection(world.settle(other.client.runs.pause({ status: "waiting" })));
    expect(await outage).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await world.settle(process.client.runs.count({ paused: true }))).toBe(0);
  });
});

describe("cancel", () => {
  test("keeps who, why, and whether to undo in the order", async () => {
    const { world, client, runs } = await many(1);
    await world.settle(runs.cancel("w1", { by: "ada", because: "a duplicate", compensate: false }));
    const error = await rejection(world.settle(client.get("w1").result()));
    expect(error.message).toContain("a duplicate");
    const { journal } = await world.settle(runs.read("w1"));
    expect(journal.find(({ kind }) => kind === "cancel")?.value).toEqual({
      compensate: false,
      reason: "a duplicate",
      by: "ada",
    });
    await world.settle(runs.cancel("w1"));
    expect(await rejection(world.settle(runs.cancel("failed")))).toMatchObject({ code: "RUN_ENDED" });
  });

  test("ends a paused run, and a stuck one", async () => {
    const { world, runs } = await many(1);
    await world.settle(runs.pause("w1"));
    await world.settle(runs.cancel({ ids: ["w1", "stuck"] }, { compensate: false }));
    await world.passUntil(() => world.run("w1").end === "canceled" && world.run("stuck").end === "canceled");
  });
});

describe("workflows", () => {
  test("list says what workers have, and what is paused by whom", async () => {
    const { world, client } = await many(1);
    await world.settle(client.workflows.pause("waiting", { by: "ada", because: "an audit" }));
    expect(await world.settle(client.workflows.list())).toMatchObject([
      {
        name: "waiting",
        version: "1",
        on: null,
        current: true,
        liveWorkers: 1,
        since: new Date(Date.UTC(2026, 0, 1)),
        paused: { by: "ada", because: "an audit" },
      },
    ]);
  });

  test("runs of a paused workflow wait, and say so; resumed, they go on", async () => {
    const { world, process, client, runs } = await many(1);
    await world.settle(client.workflows.pause("waiting", { by: "ada", because: "an audit" }));
    await process.start(waiting, "wait", { id: "new" });
    await world.settle(client.get("w1").signal("go", 1));
    await world.pass(30_000);
    expect(world.run("w1").end).toBeNull();
    expect(world.run("new").startedAt).toBeNull();
    expect(await world.settle(runs.why("new"))).toMatch(
      /is ready since .*\. Its workflow is paused since .* by ada: an audit: none of its runs is taken on before client\.workflows\.resume\("waiting"\)\.$/,
    );
    await world.settle(client.workflows.resume("waiting"));
    await world.settle(client.get("new").signal("go", 2));
    expect(await world.settle(client.get("w1").result())).toBe("got 1");
    expect(await world.settle(client.get("new").result())).toBe("got 2");
  });

  test("cancel orders all its runs that have not ended to be canceled", async () => {
    const { world, client } = await many(3);
    expect(await world.settle(client.workflows.cancel("waiting", { compensate: false }))).toEqual({
      done: 4,
      refused: [],
    });
    await world.passUntil(() => ["w1", "w2", "w3", "stuck"].every((id) => world.run(id).end === "canceled"));
  });

  test("a name that nobody knows is refused, with those that there are", async () => {
    const { client } = await many(1);
    const message = "no worker ever had a workflow wating, and no run is one of it; there is waiting";
    for (const refused of [
      client.workflows.pause("wating"),
      client.workflows.resume("wating"),
      client.workflows.cancel("wating"),
    ])
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });
});
