/** `was`: a renamed step keeps what was journaled, and its idempotency key. */
import { expect, test } from "vitest";
import { type Context, type StepOptions, workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

const versionOf = <T>(world: World, handler: (ctx: Context) => Promise<T>) => ({
  definition: workflow<undefined, T>({ name: "w" }, (ctx) => handler(ctx)),
  world,
});

/** A step that notes its effect, then a sleep: what was deployed before. */
function deployed(world: World, name: string) {
  return versionOf(world, async (ctx) => {
    const value = await ctx.step(name, (step) => {
      world.effect(step, name);
      return "journaled";
    });
    await ctx.sleep("nap", "60s");
    return value;
  }).definition;
}

function renamed(world: World, name: string, options: StepOptions<string>) {
  return versionOf(world, async (ctx) => {
    const value = await ctx.step(
      name,
      (step) => {
        world.effect(step, name);
        return "again";
      },
      options,
    );
    await ctx.sleep("nap", "60s");
    return value;
  }).definition;
}

test("F78: a renamed step finds what its older name journaled, and is not run again", async () => {
  const world = new World();
  const old = deployed(world, "charge");
  const first = await world.worker([old]);
  const run = await first.start(old, undefined, { id: "r" });
  await world.pass(1000);
  first.kill();
  const second = await world.worker([renamed(world, "take-money", { was: ["charge"] })]);
  expect(await world.settle(second.client.get(run.id).result())).toBe("journaled");
  expect(world.effectNames).toEqual(["charge"]);
});

test("F78: a step renamed without `was` stops the run before any effect", async () => {
  const world = new World();
  const old = deployed(world, "charge");
  const first = await world.worker([old]);
  await first.start(old, undefined, { id: "r" });
  await world.pass(1000);
  first.kill();
  await world.pass(60_000);
  await world.worker([renamed(world, "take-money", {})]);
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "DIVERGED", key: "charge" });
  expect(world.effectNames).toEqual(["charge"]);
});

test("the idempotency key stays that of the oldest name", async () => {
  const world = new World();
  const definition = renamed(world, "newest", { was: ["oldest", "older"] });
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  expect(world.effects.map(({ key }) => key)).toEqual(["r/oldest"]);
  expect(world.journal("r")).toEqual(["step newest"]);
});

test("failed attempts under an older name are not forgotten", async () => {
  const world = new World();
  const attempts: [string, number][] = [];
  const version = (name: string, options: StepOptions<string>) =>
    versionOf(world, (ctx) =>
      ctx.step(
        name,
        (step) => {
          attempts.push([step.idempotencyKey, step.attempt]);
          if (step.attempt < 4) throw new Error("down");
          return "up";
        },
        { ...options, retry: { initialDelay: "20s", factor: 1 } },
      ),
    ).definition;
  const old = version("charge", {});
  const first = await world.worker([old]);
  const run = await first.start(old, undefined, { id: "r" });
  await world.passUntil(() => attempts.length === 2 && world.run("r").owner === null);
  first.kill();
  const second = await world.worker([version("take-money", { was: ["charge"] })]);
  expect(await world.settle(second.client.get(run.id).result())).toBe("up");
  expect(attempts).toEqual([
    ["r/charge", 1],
    ["r/charge", 2],
    ["r/charge", 3],
    ["r/charge", 4],
  ]);
});

test("`was` works with `key`", async () => {
  const world = new World();
  const version = (name: string, options: StepOptions<string>) =>
    versionOf(world, async (ctx) => {
      const values = await Promise.all(
        ["a", "b"].map((key) =>
          ctx.step(
            name,
            (step) => {
              world.effect(step, `${name} ${key}`);
              return key;
            },
            { ...options, key },
          ),
        ),
      );
      await ctx.sleep("nap", "60s");
      return values;
    }).definition;
  const old = version("reserve", {});
  const first = await world.worker([old]);
  const run = await first.start(old, undefined, { id: "r" });
  await world.pass(1000);
  first.kill();
  const second = await world.worker([version("hold", { was: ["reserve"] })]);
  expect(await world.settle(second.client.get(run.id).result())).toEqual(["a", "b"]);
  expect(world.effectNames).toEqual(["reserve a", "reserve b"]);
});
