/** F84 to F86, F99 to F107: what a step returns is what every replay sees, or a recorded failure; its effect happens once. */
import { describe, expect, test } from "vitest";
import { type Codec, type Context, FatalError, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

/** What the code sees of a step in its first run and in two replays. */
async function seen(world: World, value: () => unknown, codec?: Codec): Promise<unknown[]> {
  const told: unknown[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    told.push(
      await ctx
        .step("value", (step) => {
          world.effect(step, "value");
          return value();
        })
        .catch((error: unknown) => error),
    );
    await ctx.sleep("nap 1", "10s");
    await ctx.sleep("nap 2", "10s");
  });
  const process = await world.worker([definition], codec === undefined ? {} : { codec });
  await process.execute(definition, undefined, { id: "r" });
  return told;
}

const cycle: Record<string, unknown> = { name: "cycle" };
cycle["self"] = cycle;

// oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
const holes = [1, , 3];

const STORABLE: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  "an undefined property": { a: undefined, b: 1 },
  "an array with undefined": [undefined, 1],
  "a sparse array": holes,
  BigInt: 12345678901234567890n,
  NaN: Number.NaN,
  infinities: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  "minus zero": -0,
  "minus zero within": { a: [-0] },
  "large and small numbers": [Number.MAX_SAFE_INTEGER, Number.MIN_VALUE, 1e308, 2 ** 64],
  Date: new Date(Date.UTC(2026, 1, 3)),
  "an invalid Date": new Date(Number.NaN),
  Map: new Map<unknown, unknown>([
    ["a", 1],
    [{ k: 1 }, new Map()],
  ]),
  Set: new Set([1, "two", { three: 3 }]),
  RegExp: /a+b/giu,
  "typed arrays": new Uint8Array([1, 2, 255]),
  ArrayBuffer: new Uint8Array([1, 2, 3]).buffer,
  URL: new URL("https://example.com/a?b=c"),
  "a cycle": cycle,
  "no prototype": Object.assign(Object.create(null) as object, { a: 1 }),
  "NUL and control characters": "a\u0000b\u0001\u001f\u007f",
  "lone surrogates": "\ud800 and \udfff",
  "astral characters": "😀𝒳",
  "separators of lines": "\u2028\u2029",
  "odd keys": { "": 1, a_b: 2, aB: 3, "1": 4, "a.b": 5, "with space": 6, $devalue: 7 },
  "a $devalue at the top": { $devalue: "not ours" },
  "a __proto__ key": JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "a": 2}') as unknown,
  "deep arrays": Array.from({ length: 500 }).reduce((inner) => [inner], "bottom"),
};

describe("F85 F99 F100 F101 F102 F103 F105: storable", () => {
  test.each(Object.entries(STORABLE))("%s", async (_, value) => {
    const world = new World();
    const [first, second, third] = await seen(world, () => value);
    expect(first).toStrictEqual(value);
    expect(second).toStrictEqual(value);
    expect(third).toStrictEqual(value);
    expect(world.effectNames).toEqual(["value"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

test("arrays of 1,000 levels are stored", async () => {
  const deep = Array.from({ length: 1000 }).reduce((inner) => [inner], "bottom");
  for (let value of await seen(new World(), () => deep)) {
    let levels = 0;
    for (; Array.isArray(value); levels++) [value] = value as unknown[];
    expect([levels, value]).toEqual([1000, "bottom"]);
  }
});

class Money {
  readonly cents = 100;
}

const UNSTORABLE: Readonly<Record<string, unknown>> = {
  "a function": () => 1,
  "a method within": { total: { add: () => 1 } },
  "a symbol": Symbol("s"),
  "a class instance": new Money(),
  "a class instance within": { prices: [new Money()] },
  "a promise": { later: Promise.resolve(1) },
  "a getter that throws": {
    get boom(): never {
      throw new Error("getter");
    },
  },
  "a then that throws": {
    get then(): never {
      throw new Error("getter");
    },
  },
  "200,000 levels": Array.from({ length: 200_000 }).reduce((inner) => [inner], "bottom"),
  "a WeakMap": new WeakMap(),
};

describe("F100 F101 F102: not storable: a recorded failure that names the step, and the effect is not repeated", () => {
  test.each(Object.entries(UNSTORABLE))("%s", async (_, value) => {
    const world = new World();
    // A thenable would be awaited: it is handed over inside of something.
    const [first, second, third] = await seen(world, () => value);
    for (const error of [first, second, third])
      expect(error).toMatchObject({ code: "STEP_FAILED", step: "value", cause: { code: "SERIALIZATION" } });
    expect(String(first)).toContain("step value");
    expect(world.effectNames).toEqual(["value"]);
  });

  test("a revoked proxy", async () => {
    const world = new World();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const error of await seen(world, () => proxy)) expect(error).toMatchObject({ code: "STEP_FAILED" });
    expect(world.effectNames).toEqual(["value"]);
  });

  test("the error says where in the value", async () => {
    const [error] = await seen(new World(), () => ({ items: [{ price: 1 }, { price: () => 2 }] }));
    expect(error).toMatchObject({ cause: { path: "$.items[1].price" } });
  });
});

test("F104: a result of a megabyte is stored, a larger one is a recorded failure that names the step", async () => {
  const world = new World();
  const [fits] = await seen(world, () => "x".repeat(1024 * 1024 - 2));
  expect(fits).toHaveLength(1024 * 1024 - 2);
  const [tooLarge, replayed] = await seen(new World(), () => "x".repeat(1024 * 1024));
  for (const error of [tooLarge, replayed])
    expect(error).toMatchObject({ code: "STEP_FAILED", cause: { code: "PAYLOAD_TOO_LARGE" } });
  expect(String(tooLarge)).toContain("step value");
});

test("F104: the limit is in bytes, and can be raised", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("value", () => "é".repeat(600)).catch((error: unknown) => (error as Error).message),
  );
  const small = await world.worker([definition], { maxPayloadBytes: 1000 });
  expect(await small.execute(definition, undefined)).toContain("1202 bytes");
  const large = await new World().worker([definition], { maxPayloadBytes: 2000 });
  expect(await large.execute(definition, undefined)).toHaveLength(600);
});

test("F86: code that changes what it was given changes nothing of the journal", async () => {
  const world = new World();
  const told: unknown[] = [];
  const shared = { items: [1] };
  const definition = workflow({ name: "w" }, async (ctx, input: { list: number[] }) => {
    input.list.push(9);
    const value = await ctx.step("value", () => shared);
    told.push(structuredClone(value), [...input.list]);
    value.items.push(2);
    await ctx.sleep("nap", "10s");
  });
  const process = await world.worker([definition]);
  await process.execute(definition, { list: [1] });
  expect(told).toEqual([{ items: [1] }, [1, 9], { items: [1] }, [1, 9]]);
  expect(shared.items).toEqual([1]);
});

class VendorError extends Error {
  override readonly name = "VendorError";
  readonly decline_code = "stolen_card";
  readonly retryable = false;
  readonly request = { headers: { authorization: "secret" } };
}

describe("F84: an error is the same in the first run and on replay", () => {
  const ERRORS: Readonly<Record<string, () => unknown>> = {
    FatalError: () => new FatalError("declined", { code: "card", details: { at: new Date(0), n: 1n } }),
    "an error with a cause": () =>
      new FatalError("outer", { cause: new VendorError("inner", { cause: "a text" }) }),
    "a cause that is its own cause": () => {
      const error = new FatalError("cycle");
      error.cause = error;
      return error;
    },
    "a huge stack": () => {
      const error = new FatalError("long");
      error.stack = "x".repeat(100_000);
      return error;
    },
    "details that can't be stored": () => new FatalError("odd", { details: { f: () => 1 } }),
    "a frozen one": () => Object.freeze(new FatalError("frozen")),
  };

  test.each(Object.entries(ERRORS))("%s", async (_, make) => {
    const world = new World();
    const [first, second, third] = (await seen(world, () => {
      throw make() as Error;
    })) as Error[];
    const shape = (error: unknown): unknown =>
      error instanceof Error
        ? {
            ...Object.fromEntries(Object.entries(error)),
            name: error.name,
            message: error.message,
            stack: error.stack,
            cause: shape(error.cause),
          }
        : error;
    expect(shape(second)).toEqual(shape(first));
    expect(shape(third)).toEqual(shape(first));
    expect(first?.cause).toBeInstanceOf(FatalError);
    expect(world.effectNames).toEqual(["value"]);
  });

  test("what vendors hang on their errors is left out, their plain facts are kept", async () => {
    const [error] = (await seen(new World(), () => {
      throw new FatalError("declined", { cause: new VendorError("stolen") });
    })) as [Error];
    const vendor = (error.cause as Error).cause as VendorError;
    expect(vendor).toMatchObject({ name: "VendorError", decline_code: "stolen_card", retryable: false });
    expect(vendor.request).toBeUndefined();
  });
});

describe("F103, F107: inputs, results of runs and signals go the same way", () => {
  const keep = ["undefined", "Date", "Map", "BigInt", "lone surrogates", "odd keys", "a __proto__ key"];

  test.each(keep)("%s", async (name) => {
    const value = STORABLE[name];
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx: Context, input: unknown) => ({
      input,
      signal: await ctx.waitForSignal("go"),
    }));
    const process = await world.worker([definition]);
    const run = await process.start(definition, value);
    await world.settle(run.signal("go", value));
    expect(await world.settle(run.result())).toStrictEqual({ input: value, signal: value });
  });

  test("an input, a signal or a result that can't be stored is told to whom it concerns", async () => {
    const world = new World();
    const echo = workflow({ name: "w" }, (_ctx: Context, input: unknown) => (input === 1 ? () => 1 : input));
    const process = await world.worker([echo]);
    const bad = (): number => 1;
    expect(await rejection(process.start(echo, bad))).toMatchObject({ code: "SERIALIZATION" });
    const run = await process.start(echo, 1, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "BUG" });
    expect(() => run.signal("go", bad)).toThrow(/can't be stored/);
  });
});

describe("S7: with a codec", () => {
  const codec: Codec = {
    encode: (text, { runId, key }) => `${runId}|${key}|${Buffer.from(text).toString("hex")}`,
    decode: (text, { runId, key }) => {
      const prefix = `${runId}|${key}|`;
      if (!text.startsWith(prefix)) throw new Error(`${text.slice(0, 20)} is not of ${prefix}`);
      return Buffer.from(text.slice(prefix.length), "hex").toString();
    },
  };

  test("I20: nothing that the program handles is stored in the clear", async () => {
    const world = new World();
    const canary = "c4n4ry";
    const definition = workflow({ name: "w" }, async (ctx, input: string) => {
      const value = await ctx.step("value", () => ({ input }));
      const failed = await ctx
        .step("fails", (step) => {
          if (step.attempt < 2) throw new Error(`transient ${canary}`);
          throw new FatalError(`fatal ${canary}`, { details: canary });
        })
        .catch((error: unknown) => (error as Error).message);
      ctx.compensate("undo", () => {
        throw new FatalError(`undo ${canary}`);
      });
      const signal = await ctx.waitForSignal<string>("go");
      throw new Error(`${value.input} ${failed} ${signal}`);
    });
    const process = await world.worker([definition], { codec });
    const run = await process.start(definition, canary, { id: "r" });
    await world.settle(run.signal("go", canary));
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(JSON.stringify(world.store.dump())).not.toContain(canary);
    expect(await world.settle(process.client.runs.why("r"))).toContain(canary);
    const report = await world.settle(process.client.runs.read("r"));
    expect(JSON.stringify([report.input, report.journal[0]?.value])).toContain(canary);
    await world.settle(run.cancel({ compensate: false, reason: canary }));
    expect(JSON.stringify(world.store.dump())).not.toContain(canary);
  });

  test("S8: what can't be decoded leaves the run stuck, and nothing runs again", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("value", (step) => world.effect(step, "value"));
      await ctx.step("text", () => "some");
      await ctx.sleep("nap", "10s");
      return "done";
    });
    const first = await world.worker([definition], { codec });
    await first.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").owner === null);
    first.kill();
    const other: Codec = {
      encode: (text, context) => codec.encode(text, context),
      decode: () => {
        throw new Error("unknown key");
      },
    };
    const second = await world.worker([definition], { codec: other });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck).toMatchObject({ code: "UNDECODABLE" });
    second.kill();
    const third = await world.worker([definition], { codec });
    await world.settle(third.client.runs.resume("r"));
    expect(await world.settle(third.client.get("r").result())).toBe("done");
    expect(world.effectNames).toEqual(["value"]);
  });
});
