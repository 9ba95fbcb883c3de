/** Values and errors as text: what is stored, and what comes back. */
import { describe, expect, test } from "vitest";
import {
  type Codec,
  FatalError,
  SerializationError,
  StepFailedError,
  ValidationError,
} from "../../src/index.ts";
import { dataOf, errorOf } from "../../src/engine/error-data.ts";
import { prng } from "../../src/engine/prng.ts";
import { textToValue, valuesOf, valueToText } from "../../src/engine/values.ts";

describe("values", () => {
  test("plain JSON stays plain JSON, readable in the database", () => {
    const value = { id: "o-1", items: [{ sku: "a", n: 1 }], note: null, ok: true };
    expect(valueToText(value, "x")).toBe(JSON.stringify(value));
  });

  test("everything else says so", () => {
    expect(valueToText(new Date(0), "x")).toMatch(/^\{"\$devalue":/);
    expect(valueToText({ a: undefined }, "x")).toMatch(/^\{"\$devalue":/);
  });

  test("what looks like that mark is not taken for it", () => {
    for (const value of [{ $devalue: [1] }, { $devalue: 1, a: 2 }, '{"$devalue":1}', [{ $devalue: 1 }]])
      expect(textToValue(valueToText(value, "x"))).toEqual(value);
  });

  test("a toJSON of the user's is not called: it would store something else", () => {
    const tricky = { a: 1, toJSON: () => "other" };
    expect(() => valueToText(tricky, "x")).toThrow(SerializationError);
    const hidden = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "other", enumerable: false });
    expect(textToValue(valueToText(hidden, "x"))).toEqual({ a: 1 });
  });

  test("shared parts and cycles come back", () => {
    const shared = new Date(0);
    const value: Record<string, unknown> = { a: shared, b: shared };
    value["self"] = value;
    const back = textToValue(valueToText(value, "x")) as Record<string, unknown>;
    expect(back["a"]).toBe(back["b"]);
    expect(back["self"]).toBe(back);
  });

  test("what is shared again and again is stored once: nothing grows exponentially", () => {
    let value: unknown = "leaf";
    for (let level = 0; level < 40; level++) value = [value, value];
    const text = valueToText(value, "x");
    expect(text.length).toBeLessThan(1000);
    expect(textToValue(text)).toHaveLength(2);
  });

  test("F35: any text comes back, half characters as well, and what is stored holds none of those", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = prng(`text ${seed}`);
      const units = Array.from({ length: Math.floor(random.next() * 12) }, () =>
        random.next() < 0.5
          ? 0xd700 + Math.floor(random.next() * 0x1000)
          : Math.floor(random.next() * 0x10000),
      );
      const text = String.fromCharCode(...units);
      for (const value of [text, { [text]: [text] }, new Map([[text, new Error(text)]])]) {
        const stored = valueToText(value, "x");
        expect(stored.isWellFormed(), `seed ${seed}`).toBe(true);
        expect(textToValue(stored), `seed ${seed}`).toEqual(value);
      }
    }
  });

  test("an error in a value comes back as an error of its class", () => {
    const back = textToValue(valueToText({ error: new FatalError("no", { code: "c" }) }, "x"));
    expect(back).toMatchObject({ error: { name: "FatalError", code: "c", message: "no" } });
    expect((back as { error: unknown }).error).toBeInstanceOf(FatalError);
  });

  test("the error says what could not be stored, where, and what to do", () => {
    expect(() => valueToText({ a: { b: () => 1 } }, "the result of step s")).toThrow(
      /^the result of step s can't be stored: .* at \$\.a\.b; return plain data instead$/,
    );
  });
});

describe("the codec hook", () => {
  const seen: string[] = [];
  const codec: Codec = {
    encode: (text, { runId, key }) => {
      seen.push(`${runId} ${key}`);
      return `sealed ${text}`;
    },
    decode: (text) => {
      if (!text.startsWith("sealed ")) throw new Error("not sealed");
      return text.slice(7);
    },
  };
  const values = valuesOf("r", codec);

  test("wraps values and errors, and is told what they belong to", () => {
    expect(values.toText([1], "a", "x")).toBe("sealed [1]");
    expect(values.fromText("sealed [1]", "a", "x")).toEqual([1]);
    expect(values.errorToText(new Error("secret"), "b")).toMatch(/^sealed /);
    expect(seen).toEqual(["r a", "r b"]);
  });

  test("text that can't be read is a DecodingError that names the run and what it is", () => {
    expect(() => values.fromText("[1]", "a", "the result of step a")).toThrow(
      /run r: the result of step a can't be decoded: not sealed/,
    );
    expect(() => valuesOf("r", undefined).fromText("{", "a", "x")).toThrow(/can't be decoded/);
  });
});

/** An error after a trip through the store. */
const trip = (error: unknown): Error => errorOf(JSON.parse(JSON.stringify(dataOf(error))));

describe("errors", () => {
  test("keep name, message, code, stack and causes", () => {
    const error = new FatalError("outer", { code: "c", cause: new Error("inner", { cause: "root" }) });
    const back = trip(error);
    expect(back).toMatchObject({ name: "FatalError", message: "outer", code: "c" });
    expect(back.stack).toBe(error.stack);
    expect(back.cause).toMatchObject({
      message: "inner",
      cause: { message: "thrown, though not an Error: root" },
    });
  });

  test("everstep's own classes come back as themselves, others as an Error of that name", () => {
    expect(trip(new ValidationError("x", [{ message: "m", path: "p" }]))).toBeInstanceOf(ValidationError);
    const back = trip(Object.assign(new TypeError("t"), { name: "CardError" }));
    expect(back).toBeInstanceOf(Error);
    expect(back).not.toBeInstanceOf(TypeError);
    expect(back.name).toBe("CardError");
  });

  test("what the class declares is kept: attempts, issues, happened", () => {
    expect(trip(new StepFailedError({ runId: "r", step: "s", attempts: 3 }, "x"))).toMatchObject({
      runId: "r",
      step: "s",
      attempts: 3,
    });
    expect(trip(new ValidationError("x", [{ message: "m", path: "p" }]))).toMatchObject({
      issues: [{ message: "m", path: "p" }],
    });
    expect(trip(new FatalError("x", { happened: false }))).toMatchObject({ happened: false });
  });

  test("a name that is no class of errors revives nothing", () => {
    const back = errorOf({ name: "constructor", message: "m", props: { __proto__: { polluted: true } } });
    expect(Object.getPrototypeOf(back)).toBe(Error.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    for (const name of ["__proto__", "toString", "hasOwnProperty"])
      expect(Object.getPrototypeOf(errorOf({ name, message: "m" }))).toBe(Error.prototype);
  });

  test("damaged data gives an Error, whatever it is", () => {
    for (const data of [null, 7, "text", [], {}, { name: 1, message: 2, cause: 3, props: null }])
      expect(errorOf(data)).toBeInstanceOf(Error);
  });

  test("F106: anything can be thrown, dataOf never does", () => {
    const getter = Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("getter");
      },
    });
    const cycle = new Error("cycle");
    cycle.cause = cycle;
    const { proxy, revoke } = Proxy.revocable(new Error("p"), {});
    revoke();
    const odd = [null, undefined, 0, "", Symbol("s"), () => 1, {}, Object.create(null), getter, cycle, proxy];
    for (const thrown of odd) expect(JSON.stringify(dataOf(thrown)).length).toBeLessThan(50_000);
  });

  test("long texts are cut, and deep causes as well", () => {
    const long = new Error("m".repeat(1_000_000));
    long.stack = "s".repeat(1_000_000);
    let deep = new Error("root");
    for (let level = 0; level < 100; level++) deep = new Error(`level ${level}`, { cause: deep });
    expect(JSON.stringify(dataOf(long)).length).toBeLessThan(30_000);
    expect(JSON.stringify(dataOf(deep)).length).toBeLessThan(40_000);
  });

  test("one property that can't be read or stored does not cost the others", () => {
    const error = Object.assign(new FatalError("x", { code: "c", happened: false }), {
      big: 1n,
      socket: {},
      count: 3,
    });
    Object.defineProperty(error, "broken", {
      enumerable: true,
      get: () => {
        throw new Error("getter");
      },
    });
    expect(dataOf(error).props).toEqual({ code: "c", happened: false, count: 3 });
  });
});
