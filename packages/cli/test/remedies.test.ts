/** What `why` says to type is typed as it stands: by a shell, also with ids and steps that shells make something else of. */
import { spawnSync } from "node:child_process";
import { FatalError, workflow } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { commandLine } from "../src/shell-word.ts";
import { namedStore } from "../src/store/location.ts";
import { KINDS, Operator } from "./support/operator.ts";

const ODD = [
  "order-42",
  "a$$b$&",
  "it's",
  "a b;rm",
  "~root",
  "*",
  "!!",
  "#x",
  "a\\b",
  "日本語",
  "\u202Eevil'\\\u2028",
  '"`id`$(id)',
] as const;

const SHELLS = ["bash", "zsh"].filter((shell) => spawnSync(shell, ["-c", "true"]).status === 0);

/** The words that a shell makes of it. */
function wordsOf(shell: string, line: string): readonly string[] {
  const { stdout } = spawnSync(shell, ["-c", `everstep() { printf '%s\\0' "$@"; }\n${line}`], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  return stdout.split("\0").slice(0, -1);
}

test.each(SHELLS)("%s reads a command line as it was meant", (shell) => {
  for (const id of ODD)
    expect(wordsOf(shell, commandLine("skip", [id, "charge"], ["--store", "my shop.db"]))).toEqual([
      "skip",
      id,
      "charge",
      "--store",
      "my shop.db",
    ]);
  expect(wordsOf(shell, commandLine("resume", ["-rf"], ["--yes"]))).toEqual(["resume", "--yes", "--", "-rf"]);
});

test("the store is named as it was, but for a password", () => {
  expect(namedStore({})).toEqual([]);
  expect(namedStore({ store: "my shop.db", codec: "./codec.js" })).toEqual([
    "--store",
    "my shop.db",
    "--codec",
    "./codec.js",
  ]);
  expect(namedStore({ store: "postgres://ada@db/shop" })).toEqual(["--store", "postgres://ada@db/shop"]);
  for (const store of ["postgres://ada:SECRET@db/shop", "postgres://db/shop?password=SECRET"])
    expect(namedStore({ store })).toEqual(["--store", "<url>"]);
});

const exhausted = workflow({ name: "exhausted" }, (ctx) =>
  ctx.step("ch'arge", () => Promise.reject(new Error("out")), {
    retry: { maxAttempts: 1, onExhausted: "stick" },
  }),
);
const failing = workflow({ name: "failing" }, (ctx) =>
  ctx.step("charge", () => Promise.reject(new FatalError("declined"))),
);
const undone = workflow({ name: "undone" }, async (ctx) => {
  ctx.compensate("release", () => {});
  await ctx.step("reserve", () => "reserved");
  await ctx.step("charge", ({ idempotencyKey }) => {
    if (!idempotencyKey.includes("~")) throw new FatalError("declined");
  });
  await ctx.waitForSignal("go");
});
const unheard = workflow({ name: "unheard" }, async (ctx) => {
  await ctx.waitForSignal("go");
  await ctx.waitForSignal("go");
});

interface WhyDocument {
  readonly remedies: readonly { readonly command: string; readonly when: string }[];
}

describe.each(KINDS)("on %s", (kind) => {
  test("each is accepted", async () => {
    const operator = new Operator(kind);
    await operator.worker(exhausted, failing, unheard);
    const remediesOf = async (id: string): Promise<readonly string[]> => {
      const { out } = await operator.type(["why", "--json", "--", id]);
      const { remedies } = JSON.parse(out) as WhyDocument;
      return remedies.map(({ command }) => command.replace("<json>", '"by hand"'));
    };
    const paste = async (line: string | undefined): Promise<void> => {
      const { code, err } = await operator.type(wordsOf("bash", line ?? ""));
      expect({ line, code, err }).toEqual({ line, code: 0, err: "" });
    };

    for (const id of ["-$$b", "\u202Eit's"]) {
      await operator.client.start(exhausted, undefined, { id });
      await operator.until(id, "stuck");
      const [resume, resolve] = await remediesOf(id);
      await paste(resume);
      await operator.until(id, "stuck");
      await paste(resolve);
      await operator.until(id, "completed");
      expect(await remediesOf(id)).toEqual([]);
    }

    await operator.client.start(failing, undefined, { id: "failing-1" });
    await operator.until("failing-1", "failed");
    expect(await remediesOf("failing-1")).toEqual(["everstep retry failing-1"]);

    await operator.client.start(unheard, undefined, { id: "unwanted" });
    await operator.until("unwanted", "waiting");
    await paste("everstep cancel unwanted --yes");
    await operator.until("unwanted", "canceled");
    const { out } = await operator.type(["why", "unwanted"]);
    expect(out).toContain("If it is wanted after all: it goes on from the earliest step that was undone:\n");
    await paste((await remediesOf("unwanted"))[0]);

    await operator.client.start(unheard, undefined, { id: "unheard-1" });
    await operator.until("unheard-1", "waiting");
    await operator.client.get("unheard-1").signal("go", null);
    await paste("everstep pause unheard-1");
    expect(await remediesOf("unheard-1")).toEqual(["everstep resume unheard-1"]);
    await paste("everstep resume unheard-1");
    await operator.until("unheard-1", "waiting");
    // Of the second wait, whose key is `go#2`.
    const [signal] = await remediesOf("unheard-1");
    expect(signal).toBe(`everstep signal unheard-1 go '"by hand"'`);
    await paste(signal);
    await operator.until("unheard-1", "completed");
  });

  test("a run that can't be retried is to be rewound", async () => {
    const operator = new Operator(kind);
    await operator.worker(undone);
    await operator.client.start(undone, undefined, { id: "undone-1" });
    await operator.until("undone-1", "failed");
    expect(await operator.json(["why", "undone-1"])).toMatchObject({
      remedies: [
        {
          command: "everstep rewind undone-1 --to '<step>'",
          when: expect.stringContaining("it can't be retried: release was undone") as string,
        },
      ],
    });
    const { out } = await operator.type(["retry", "--status", "failed", "--dry-run"]);
    expect(out).toMatch(/^would retry 0 runs; .*\bundone-1\b.*be refused: release was undone/s);
    const asItStands = ["rewind", "undone-1", "--to", "<step>", "--yes"];
    expect((await operator.type(asItStands)).err).toContain("it has reserve, charge");
    expect((await operator.type(["retry", "undone-1"])).code).toBe(1);

    // What a rewind went back to before counts no more.
    expect((await operator.type(["rewind", "undone-1", "--to", "reserve", "--yes"])).code).toBe(0);
    await operator.until("undone-1", "waiting");
    expect((await operator.type(["cancel", "undone-1", "--no-compensate", "--yes"])).code).toBe(0);
    await operator.until("undone-1", "canceled");
    expect(await operator.json(["why", "undone-1"])).toMatchObject({
      remedies: [{ command: "everstep retry undone-1" }],
    });
    expect(await operator.json(["retry", "undone-1", "--dry-run"])).toMatchObject({
      runs: [{ refusal: null }],
    });
    expect((await operator.type(["retry", "undone-1"])).code).toBe(0);
  });

  test("what nobody will go on with says so", async () => {
    const operator = new Operator(kind);
    await operator.client.start(unheard, undefined, { id: "orphan" });
    const { remedies } = (await operator.json(["why", "orphan"])) as WhyDocument;
    expect(remedies.map(({ command }) => command)).toEqual([
      "everstep worker --workflows ./workflows.ts",
      "everstep move orphan --workflows ./workflows.ts",
    ]);
  });
});
