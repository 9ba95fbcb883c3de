/** A new operator at three in the morning: runs stuck in six ways; each found, explained, mended by one command, and finished; nothing charged twice. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, KINDS, Operator } from "./support/operator.ts";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const BEFORE = join(import.meta.dirname, "support/shop-before.ts");
const AFTER = join(import.meta.dirname, "support/shop-after.ts");
const WAYS = ["declining", "diverged", "doubtful", "poison", "unheard", "orphaned"] as const;

class Shop extends Operator {
  readonly #ledger: string = join(this.cwd, "ledger");
  #worker: ChildProcess | undefined;
  #module = BEFORE;
  #isOpen = false;

  get charges(): readonly string[] {
    return existsSync(this.#ledger) ? readFileSync(this.#ledger, "utf8").trim().split("\n") : [];
  }

  /** `everstep worker` in a process of its own, and another one whenever that dies. */
  open(module: string): void {
    this.#module = module;
    this.#isOpen = true;
    const line = ["--conditions=@everstep/source", MAIN, "worker", "--quiet", "--workflows", this.#module];
    const env = { ...process.env, EVERSTEP_STORE: this.url, LEDGER: this.#ledger };
    const worker = spawn(process.execPath, line, { env, cwd: this.cwd, stdio: "ignore" });
    this.#worker = worker;
    worker.once("exit", () => {
      if (this.#isOpen) this.open(this.#module);
    });
  }

  /** By SIGTERM; answers how the worker ended. */
  async close(): Promise<number | null> {
    this.#isOpen = false;
    const worker = this.#worker;
    if (worker === undefined) return null;
    worker.kill("SIGTERM");
    if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
    return worker.exitCode;
  }

  async why(id: string): Promise<string> {
    return (await this.type(["why", id])).out;
  }

  async listed(...words: readonly string[]): Promise<readonly string[]> {
    const { out } = await this.type(["list", "--ids", "--oldest", ...words]);
    return out.trim().split("\n").toSorted();
  }
}

/** All six, each where it stays. */
async function stuckShop(kind: (typeof KINDS)[number]): Promise<Shop> {
  const shop = new Shop(kind);
  await shop.client.runs.count();
  onTestFinished(async () => void (await shop.close()));
  shop.open(BEFORE);
  await eventually(
    "a worker is there",
    async () => (await shop.client.workflows.list()).length === WAYS.length,
  );
  for (const name of ["declining", "diverged", "unheard", "orphaned"])
    await shop.type(["start", name, "--id", name]);
  await shop.until("declining", "stuck");
  for (const name of ["diverged", "unheard", "orphaned"]) await shop.until(name, "waiting");
  await shop.type(["start", "doubtful", "--id", "doubtful"]);
  await shop.until("doubtful", "stuck");
  await shop.type(["start", "poison", "--id", "poison"]);
  await shop.until("poison", "stuck");

  // CI would have said so.
  const check = await shop.type(["check", "--workflows", AFTER, "--json"]);
  expect(check.code).toBe(1);
  const { findings } = JSON.parse(check.out) as { readonly findings: readonly unknown[] };
  expect(findings).toMatchObject([
    { id: "diverged", verdict: "diverges" },
    { id: "orphaned", verdict: "no-code" },
  ]);

  expect(await shop.close()).toBe(0);
  shop.open(AFTER);
  for (const name of ["diverged", "orphaned"]) await shop.type(["signal", name, "packed"]);
  await shop.until("diverged", "stuck");
  await eventually("the old version has no worker", async () =>
    (await shop.why("orphaned")).includes("no live worker"),
  );
  return shop;
}

describe.each(KINDS)("on %s", (kind) => {
  test("six ways to be stuck, and out of each with one command", async () => {
    const shop = await stuckShop(kind);

    expect(await shop.listed("--status", "stuck")).toEqual(["declining", "diverged", "doubtful", "poison"]);
    expect(await shop.listed("--status", "waiting", "--step", "approval")).toEqual(["unheard"]);
    expect(await shop.listed("--status", "ready")).toEqual(["orphaned"]);
    expect(await shop.listed("--failed-with", "declines the refund")).toEqual(["declining"]);

    for (const [id, reason] of [
      ["declining", /UNDO_FAILED.*the bank declines the refund/],
      ["diverged", /DIVERGED.*the journal continues with step charge/],
      ["doubtful", /IN_DOUBT.*charge/],
      ["poison", /POISON/],
      ["unheard", /waits for signal approval/],
      ["orphaned", /no live worker has workflow orphaned in version 1/],
    ] as const)
      expect(await shop.why(id)).toMatch(reason);

    // What helped is what it said.
    for (const [id, remedy] of [
      ["declining", "everstep skip declining charge"],
      ["diverged", "everstep move diverged --workflows ./workflows.ts --resume"],
      ["doubtful", "everstep resolve doubtful charge --result '<json>'"],
      ["poison", "everstep resume poison"],
      ["unheard", "everstep signal unheard approval '<json>'"],
      ["orphaned", "everstep move orphaned --workflows ./workflows.ts"],
    ] as const)
      expect(await shop.why(id)).toContain(`\n  ${remedy}\n`);

    const mend = async (...words: readonly string[]): Promise<void> => {
      const { code, err } = await shop.type([...words, "--because", "found at night"]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
    };
    await mend("skip", "declining", "charge");
    await mend("move", "diverged", "--workflows", AFTER, "--to", "2", "--resume");
    await mend("resolve", "doubtful", "charge", "--result", '"ch_7"');
    await mend("resume", "poison");
    await mend("move", "orphaned", "--workflows", AFTER);
    expect((await shop.type(["signal", "unheard", "approval", '"yes"'])).code).toBe(0);

    await shop.until("declining", "failed");
    for (const name of WAYS.slice(1)) await shop.until(name, "completed");
    expect(await shop.client.get("doubtful").result()).toBe("ch_7");
    expect(await shop.client.get("unheard").result()).toBe("yes");
    expect(await shop.close()).toBe(0);

    const charged = WAYS.map((way) => `${way}/charge`).toSorted();
    expect(shop.charges.toSorted()).toEqual(charged);
  });
});
