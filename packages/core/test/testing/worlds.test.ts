/** What a world may be made of: every call of it is an effect, and all else is as it is without a crash test. */
import { createHmac } from "node:crypto";
import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { type StepContext, workflow } from "../../src/index.ts";
import { crashTest } from "../../src/testing/index.ts";
import { rejection } from "../support/world.ts";

/** Crashes one step that does this, at each of its effects, and says what those are. */
async function effectsOf<W>(
  world: () => W,
  body: (world: W, step: StepContext) => unknown,
  expected?: unknown,
): Promise<number> {
  const { points } = await crashTest(
    (own: W) => workflow({ name: "one" }, (ctx) => ctx.step("do", (step) => body(own, step))),
    { input: undefined, world, invariant: ({ result }) => expect(result).toEqual(expected) },
  );
  return points.effects;
}

test("a function is a world", async () => {
  const send = () => Object.assign((to: string) => Promise.resolve(to), { defaults: { from: "me" } });
  expect(await effectsOf(send, (own) => own("you"), "you")).toBe(1);
  expect(await effectsOf(send, (own) => own.defaults.from, "me")).toBe(0);
});

test("a frozen world is one as well", async () => {
  const frozen = () =>
    Object.freeze({
      pay: async () => 1,
      mail: Object.freeze({ send: async () => 2 }),
      to: Object.freeze(["a"]),
    });
  const all = async (world: ReturnType<typeof frozen>) => {
    const { pay, mail } = world;
    return [await pay(), await mail.send(), world.to.length, Object.keys(world).length, "pay" in world];
  };
  expect(await effectsOf(frozen, all, [1, 2, 1, 3, true])).toBe(2);
});

test("classes, their errors and their setters are as they are", async () => {
  class CardError extends Error {}
  class Shop {
    readonly CardError = CardError;
    #open = false;
    set open(open: boolean) {
      this.#open = open;
    }
    get open(): boolean {
      return this.#open;
    }
    async pay(): Promise<void> {
      throw new this.CardError("declined");
    }
  }
  const body = async (shop: Shop): Promise<unknown> => {
    shop.open = true;
    try {
      return await shop.pay();
    } catch (error) {
      return [shop.open, error instanceof shop.CardError, new shop.CardError("mine").message];
    }
  };
  expect(await effectsOf(() => new Shop(), body, [true, true, "mine"])).toBe(2);
});

test("keys, dates and sets can be handed on, and the world meets no view of itself", async () => {
  class Vault {
    readonly #secret = "s";
    static open(vault: Vault): string {
      return vault.#secret;
    }
  }
  const world = () => ({
    key: Buffer.from("key"),
    at: new Date(5),
    url: new URL("http://localhost/a"),
    ids: new Set([1]),
    vault: new Vault(),
    open: (vault: Vault) => Vault.open(vault),
  });
  const body = (own: ReturnType<typeof world>) => [
    createHmac("sha256", own.key).digest("hex").length,
    structuredClone(own.at).getTime(),
    new URL("b", own.url).pathname,
    [...own.ids],
    own.open(own.vault),
  ];
  expect(await effectsOf(world, body, [64, 5, "/b", [1], "s"])).toBe(2);
});

test("a promise that can do more is one effect, and what it can do another", async () => {
  const list = () => ({
    customers: () => Object.assign(Promise.resolve([1]), { toArray: async () => [1, 2] }),
  });
  expect(await effectsOf(list, (own) => own.customers(), [1])).toBe(1);
  expect(await effectsOf(list, (own) => own.customers().toArray(), [1, 2])).toBe(2);
});

test("a query that is built call by call runs once, when it is awaited", async () => {
  class Query implements PromiseLike<number> {
    readonly #rows: string[];
    #row = "";
    constructor(rows: string[]) {
      this.#rows = rows;
    }
    insert(row: string): this {
      this.#row = row;
      return this;
    }
    then<A, B>(...then: Parameters<PromiseLike<number>["then"]>): PromiseLike<A | B> {
      return Promise.resolve(this.#rows.push(this.#row)).then(...then) as PromiseLike<A | B>;
    }
  }
  const world = () => {
    const rows: string[] = [];
    return { rows, table: () => new Query(rows) };
  };
  const trying = crashTest(
    (db: ReturnType<typeof world>) =>
      workflow({ name: "rows" }, (ctx) =>
        ctx.step("insert", async () => void (await db.table().insert("a"))),
      ),
    { input: undefined, world, invariant: ({ world: { rows } }) => expect(rows).toEqual(["a"]) },
  );
  expect(await rejection(trying)).toMatchObject({ crashes: "effect 3 after" });
});

test("what is done with a connection that the world opened is done in the world", async () => {
  const world = () => {
    const rows: string[] = [];
    return {
      rows,
      connect: async () => ({
        has: async () => rows.includes("a"),
        put: async (row: string) => void rows.push(row),
      }),
    };
  };
  const trying = crashTest(
    (db: ReturnType<typeof world>) =>
      workflow({ name: "halves" }, (ctx) =>
        ctx.step("both", async () => {
          const connection = await db.connect();
          if (await connection.has()) return;
          await connection.put("a");
          await connection.put("b");
        }),
      ),
    { input: undefined, world, invariant: ({ world: { rows } }) => expect(rows).toEqual(["a", "b"]) },
  );
  expect(await rejection(trying)).toMatchObject({ crashes: "effect 3 after" });
});

test("listeners are found again, mocks tell their calls", async () => {
  const emitter = () => Object.assign(new EventEmitter(), { hear: () => {} });
  const body = (own: ReturnType<typeof emitter>) => {
    own.removeAllListeners("x").on("x", own.hear).off("x", own.hear);
    return own.listenerCount("x");
  };
  expect(await effectsOf(emitter, body, 0)).toBeGreaterThan(1);
  const mocked = () => ({ send: vi.fn(async (to: string) => to) });
  const sent = async (own: ReturnType<typeof mocked>) => {
    await own.send("you");
    return own.send.mock.lastCall;
  };
  expect(await effectsOf(mocked, sent, ["you"])).toBe(1);
});

test("what throws may have had its effect", async () => {
  const odd = () => {
    let calls = 0;
    return {
      call: (): void => {
        if (++calls === 1) throw new Error("timed out");
      },
    };
  };
  const processes: number[][] = [];
  await crashTest(
    (own: ReturnType<typeof odd>) => workflow({ name: "throws" }, (ctx) => ctx.step("do", () => own.call())),
    {
      input: undefined,
      world: odd,
      only: "effect 1 after",
      invariant: ({ bodies }) => void processes.push(bodies.map(({ process }) => process)),
    },
  );
  expect(processes).toEqual([
    [1, 1],
    [1, 2],
  ]);
});
