/** The commands that look at what goes on: workers, figures, events, what runs do, and what is wrong. */
import { workflow } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { Onlooker } from "./support/onlooker.ts";
import { KINDS } from "./support/operator.ts";

const order = workflow({ name: "order", on: "cart:checked-out" }, async (ctx) => {
  await ctx.step("charge", () => "charged");
  await ctx.waitForSignal("approval");
  return "done";
});
const broken = workflow({ name: "broken" }, (ctx) =>
  ctx.step(
    "call",
    () => {
      throw new Error("ECONNREFUSED");
    },
    { retry: { initialDelay: "1h" } },
  ),
);

interface Findings {
  readonly healthy: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly is: string;
    readonly remedy: string | null;
  }[];
}

const open = (kind: (typeof KINDS)[number]): Onlooker => new Onlooker(kind, { now: Date.now() });

async function json<T>(onlooker: Onlooker, ...words: readonly string[]): Promise<T> {
  return JSON.parse((await onlooker.look([...words, "--json"])).out) as T;
}

describe.each(KINDS)("on %s", (kind) => {
  test("workers, figures and events are what there is", async () => {
    const onlooker = open(kind);
    const worker = await onlooker.worker(order, broken);
    await onlooker.client.emit("cart:checked-out", {}, { id: "cart-7" });
    await onlooker.client.emit("nobody:listens", {}, { id: "1" });
    const run = "cart:checked-out/cart-7/order";
    await onlooker.until(run, "waiting");

    expect(await json(onlooker, "workers")).toMatchObject({
      workers: [
        {
          status: "live",
          pid: process.pid,
          workflows: [
            { name: "order", version: "1" },
            { name: "broken", version: "1" },
          ],
        },
      ],
    });
    expect(await json(onlooker, "events")).toMatchObject({
      events: [
        { name: "nobody:listens", id: "1", runs: 0 },
        { name: "cart:checked-out", id: "cart-7", runs: 1 },
      ],
    });
    expect(await json(onlooker, "events", "cart:checked-out")).toMatchObject({ events: [{ runs: 1 }] });
    expect(await json(onlooker, "stats")).toMatchObject({
      live: [{ workflow: "order", version: "1", status: "waiting", runs: 1, paused: 0, firstDueAt: null }],
      ended: [],
      windowMs: 3_600_000,
    });

    await onlooker.client.get(run).signal("approval", null);
    await onlooker.until(run, "completed");
    expect(await json(onlooker, "stats", "--window", "1m")).toMatchObject({
      live: [],
      ended: [{ workflow: "order", status: "completed", runs: 1, perMinute: 1 }],
    });
    const shown = { workers: String(process.pid), events: "cart-7", stats: "completed" };
    for (const [command, text] of Object.entries(shown))
      expect((await onlooker.look([command], { columns: 100 })).out).toContain(text);
    await worker.stop();
    expect(await json(onlooker, "workers")).toEqual({ workers: [] });
  });

  test("tail follows a run from its beginning to its end", async () => {
    const onlooker = open(kind);
    await onlooker.worker(order);
    await onlooker.client.start(order, null, { id: "order-1" });
    await onlooker.until("order-1", "waiting");
    const tailing = onlooker.look(["tail", "order-1", "--json"]);
    await onlooker.client.get("order-1").signal("approval", null);
    const { code, out } = await tailing;
    const lines = out
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as { type: string; status?: string; entry?: { kind: string; key: string } },
      );
    expect(lines.flatMap(({ entry }) => (entry === undefined ? [] : `${entry.kind} ${entry.key}`))).toEqual([
      "step charge",
      "signal approval",
      "end completed",
    ]);
    expect(lines.at(-1)).toMatchObject({ type: "status", status: "completed" });
    expect(code).toBe(0);
  });

  test("tail tells of runs that begin meanwhile, until it is interrupted", async () => {
    const onlooker = open(kind);
    await onlooker.worker(order);
    await onlooker.client.start(order, null, { id: "before" });
    await onlooker.until("before", "waiting");
    const { promise: follows, resolve } = Promise.withResolvers<string>();
    const tailing = onlooker.look(["tail", "--workflow", "order"], {
      interruptAfter: "after  waiting",
      onNote: resolve,
    });
    await follows;
    await onlooker.client.start(order, null, { id: "after" });
    const { code, out } = await tailing;
    expect(code).toBe(0);
    expect(out).toMatch(/Z {2}after {2}step charge \(\d+m?s\)\n/);
    expect(out).not.toContain("before");
  });

  test("doctor says what is wrong, and what to do", async () => {
    const onlooker = open(kind);
    const is = async (check: string): Promise<readonly string[]> =>
      (await json<Findings>(onlooker, "doctor")).findings.flatMap((one) =>
        one.check === check ? one.is : [],
      );
    await onlooker.client.runs.list();
    expect(await json(onlooker, "doctor")).toMatchObject({ healthy: true });
    expect((await onlooker.look(["doctor", "--strict"])).code).toBe(0);

    const worker = await onlooker.worker(order, broken);
    await onlooker.client.start(broken, null, { id: "broken-1" });
    await onlooker.until("broken-1", "waiting");
    expect(await is("versions")).toEqual(["fine"]);
    await worker.stop();
    expect(await is("versions")).toEqual(["warning"]);
    await onlooker.client.start("order", null, { id: "order-1" });
    expect(await is("versions")).toEqual(["warning", "problem"]);
    const { code, out } = await onlooker.look(["doctor"], { columns: 100 });
    expect(code).toBe(1);
    expect(out).toContain("deploy a worker with that version");
    await onlooker.client.workflows.pause("order", { because: "x" });
    expect(await is("paused")).toEqual(["warning"]);
    for (const { is: state, remedy } of (await json<Findings>(onlooker, "doctor")).findings)
      expect(remedy === null).toBe(state === "fine");
  });

  test("a store that is not there is not made by looking", async () => {
    const onlooker = open(kind);
    const elsewhere =
      kind === "sqlite" ? "other.db" : onlooker.url.replace(/schema=[^&]+/, "schema=nobody_made_this");
    for (const command of ["list", "doctor", "stats", "tail"]) {
      const { code, err } = await onlooker.look([command, "--store", elsewhere], { interrupt: true });
      expect(code, `everstep ${command}`).toBe(1);
      expect(err).toMatch(/there is no such file|there are no tables of everstep/);
      expect(err).not.toContain("postgres:postgres");
    }
  });
});
