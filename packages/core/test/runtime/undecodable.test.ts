/** S8: whatever piece of a run can't be decoded, the run is stuck, nothing runs again, and with the right key it goes on. */
import { expect, test } from "vitest";
import { type Codec, FatalError, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

/** Seals by the key of what it belongs to; can be made to forget some. */
class Sealing implements Codec {
  readonly lost = new Set<string>();

  encode(text: string, { key }: { readonly key: string }): string {
    return `${key}|${Buffer.from(text).toString("hex")}`;
  }

  decode(text: string): string {
    const [key = "", hex = ""] = text.split("|");
    if (this.lost.has(key)) throw new Error(`the key of ${JSON.stringify(key)} is lost`);
    return Buffer.from(hex, "hex").toString();
  }
}

/** A run that used everything once, and waits at its end. */
function everything(world: World) {
  return workflow<string, string>({ name: "w" }, async (ctx, input) => {
    const value = await ctx.step(
      "value",
      (step) => {
        world.effect(step, "value");
        return { input };
      },
      { compensate: (done, step) => world.effect(step, `undo ${done.outcome}`) },
    );
    await ctx
      .step("error", (step) => {
        world.effect(step, "error");
        throw new FatalError("declined");
      })
      .catch(() => {});
    const signal = await ctx.waitForSignal<string>("signal");
    await ctx.waitForSignal("go on");
    return `${value.input} ${signal}`;
  });
}

async function paused(): Promise<{
  world: World;
  codec: Sealing;
  definition: ReturnType<typeof everything>;
}> {
  const world = new World();
  const codec = new Sealing();
  const definition = everything(world);
  const process = await world.worker([definition], { codec });
  const run = await process.start(definition, "input", { id: "r" });
  await world.settle(run.signal("signal", "told"));
  await world.passUntil(() => world.run("r").waits.some(({ key }) => key === "go on"));
  process.kill();
  return { world, codec, definition };
}

test.each([
  ["its input", ""],
  ["the result of a step", "value"],
  ["the error of a step", "error"],
  ["a signal that it had got", "signal"],
])("%s", async (_, key) => {
  const { world, codec, definition } = await paused();
  codec.lost.add(key);
  const client = world.process({ codec });
  await world.settle(client.client.get("r").signal("go on"));
  await world.worker([definition], { codec });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "UNDECODABLE" });
  expect(world.effectNames).toEqual(["value", "error"]);
  codec.lost.clear();
  expect(await world.settle(client.client.runs.why("r"))).toContain("is lost");
  await world.settle(client.client.runs.resume("r"));
  expect(await world.settle(client.client.get("r").result())).toBe("input told");
  expect(world.effectNames).toEqual(["value", "error"]);
});

test("a signal that it is about to get: it is not lost", async () => {
  const { world, codec, definition } = await paused();
  const client = world.process({ codec });
  await world.settle(client.client.get("r").signal("go on"));
  codec.lost.add("go on");
  await world.worker([definition], { codec });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "UNDECODABLE" });
  codec.lost.clear();
  await world.settle(client.client.runs.resume("r"));
  expect(await world.settle(client.client.get("r").result())).toBe("input told");
});

test("what an undo needs: nothing is undone without it, and it is undone once it can be read", async () => {
  const { world, codec, definition } = await paused();
  const client = world.process({ codec });
  await world.settle(client.client.get("r").cancel());
  codec.lost.add("value");
  await world.worker([definition], { codec });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.effectNames).toEqual(["value", "error"]);
  codec.lost.clear();
  await world.settle(client.client.runs.resume("r"));
  expect(await rejection(world.settle(client.client.get("r").result()))).toMatchObject({
    code: "RUN_CANCELED",
  });
  expect(world.effectNames).toEqual(["value", "error", "undo completed"]);
});

test("an order to cancel it", async () => {
  const { world, codec, definition } = await paused();
  const client = world.process({ codec });
  await world.settle(client.client.get("r").cancel());
  codec.lost.add("");
  await world.worker([definition], { codec });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck).toMatchObject({ code: "UNDECODABLE" });
  codec.lost.clear();
  await world.settle(client.client.runs.resume("r"));
  await rejection(world.settle(client.client.get("r").result()));
  expect(world.run("r").end).toBe("canceled");
});

test("reading it says which piece can't be decoded", async () => {
  const { world, codec } = await paused();
  codec.lost.add("value");
  const client = world.process({ codec });
  expect(await rejection(world.settle(client.client.runs.read("r")))).toMatchObject({
    code: "DECODING",
    message: expect.stringContaining("run r") as unknown,
  });
});

test("what one run failed with: it hides no other run of a list", async () => {
  const world = new World();
  const codec = new Sealing();
  const definition = workflow<string, void>({ name: "w" }, (_, how) => {
    if (how === "fail") throw new FatalError("declined");
  });
  const process = await world.worker([definition], { codec });
  for (const how of ["fail", "succeed"])
    await world.settle((await process.start(definition, how, { id: how })).result()).catch(() => {});
  codec.lost.add("");
  const { runs } = await world.settle(process.client.runs.list());
  expect(runs.map(({ id, error }) => [id, error?.message])).toEqual([
    ["succeed", undefined],
    ["fail", expect.stringMatching(/^run fail: its error can't be decoded: the key of "" is lost/) as string],
  ]);
  expect(runs[1]?.error).toMatchObject({ code: "DECODING" });
});
