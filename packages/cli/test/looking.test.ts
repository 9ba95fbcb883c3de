/** What the commands that only look answer, word for word: their text at several widths, and the contract of their JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Onlooker } from "./support/onlooker.ts";
import { KINDS } from "./support/operator.ts";
import { HOSTILE, importShownRuns, NOON, SECRET } from "./support/shown-runs.ts";

const golden = (name: string): string => join(import.meta.dirname, "golden", name);

async function withRuns(kind: (typeof KINDS)[number]): Promise<Onlooker> {
  const onlooker = new Onlooker(kind, { now: NOON });
  await importShownRuns(onlooker.client);
  return onlooker;
}

const JSONS: readonly (readonly [name: string, words: readonly string[]])[] = [
  ["list", ["list"]],
  ["show-completed", ["show", "order-1"]],
  ["show-failed", ["show", "order-2"]],
  ["show-stuck", ["show", "order-3"]],
  ["show-payloads", ["show", "order-1", "--show-payloads"]],
  ["why", ["why", "order-3/pack"]],
];

describe.each(KINDS)("on %s", (kind) => {
  test("the JSON is the documented one", async () => {
    const onlooker = await withRuns(kind);
    for (const [name, words] of JSONS) {
      const { out, code, err } = await onlooker.look([...words, "--json"]);
      expect([code, err]).toEqual([0, ""]);
      expect(JSON.parse(out)).toBeTypeOf("object");
      const steady = out.replace(/\([\d.]+ \w+ ago\)/g, "(long ago)");
      await expect(steady).toMatchFileSnapshot(golden(`${name}.json`));
    }
  });

  test("filters find what they say", async () => {
    const onlooker = await withRuns(kind);
    const ids = async (...words: readonly string[]): Promise<readonly string[]> =>
      (await onlooker.look(["list", "--ids", ...words])).out.split("\n").slice(0, -1);
    expect(await ids()).toEqual(["order-3/packing", "order-3", "order-2", "order-1"]);
    expect(await ids("--oldest", "--limit", "1")).toEqual(["order-1"]);
    expect(await ids("--status", "stuck,failed")).toEqual(["order-3", "order-2"]);
    expect(await ids("--status", "stuck", "--status", "completed")).toEqual(["order-3", "order-1"]);
    expect(await ids("--workflow", "packing", "--run-version", "7")).toEqual(["order-3/packing"]);
    expect(await ids("--paused")).toEqual(["order-3/packing"]);
    expect(await ids("--parent", "order-3")).toEqual(["order-3/packing"]);
    expect(await ids("--tag", "customer=ada", "--workflow", "order")).toEqual(["order-3", "order-1"]);
    expect(await ids("--failed-with", "econnrefused")).toEqual(["order-3"]);
    expect(await ids("--failed-with", "card")).toEqual([]);
    expect(await ids("--step", "charge")).toEqual(["order-3", "order-2"]);
    expect(await ids("--older-than", "1h")).toEqual([]);
    expect(await ids("--since", "2026-01-15T11:00:00.002Z")).toEqual(["order-3/packing", "order-3"]);
    expect(await ids("--until", "2026-01-15T11:00:00.001Z")).toEqual(["order-1"]);
  });

  test("pages follow each other", async () => {
    const onlooker = await withRuns(kind);
    const first = JSON.parse((await onlooker.look(["list", "-n", "3", "--json"])).out) as { next: string };
    const { out, err } = await onlooker.look(["list", "-n", "3", "--ids", "--after", first.next]);
    expect([out, err]).toEqual(["order-1\n", ""]);
  });
});

const TEXTS: readonly (readonly [name: string, words: readonly string[]])[] = [
  ["list", ["list"]],
  ["show-completed", ["show", "order-1"]],
  ["show-failed", ["show", "order-2"]],
  ["show-stuck", ["show", "order-3"]],
];

test.each([60, 100, 200])("text in a terminal of %i columns", async (columns) => {
  const onlooker = await withRuns("sqlite");
  for (const [name, words] of TEXTS) {
    const { out } = await onlooker.look([...words, "--no-color"], { columns });
    await expect(out).toMatchFileSnapshot(golden(`${name}-${columns}.txt`));
  }
});

test("text in a pipe has no colours and no padding", async () => {
  const onlooker = await withRuns("sqlite");
  for (const [name, words] of TEXTS) {
    const { out } = await onlooker.look(words);
    await expect(out).toMatchFileSnapshot(golden(`${name}-pipe.txt`));
  }
});

test("colours in a terminal, unless NO_COLOR or --no-color says otherwise", async () => {
  const onlooker = await withRuns("sqlite");
  const terminal = { columns: 100 };
  const hasColours = (text: string): boolean => text.includes("\u001B[");
  expect(hasColours((await onlooker.look(["list"], terminal)).out)).toBe(true);
  expect(hasColours((await onlooker.look(["list", "--no-color"], terminal)).out)).toBe(false);
  expect(hasColours((await onlooker.look(["list"], { ...terminal, env: { NO_COLOR: "1" } })).out)).toBe(
    false,
  );
  expect(hasColours((await onlooker.look(["list"], { ...terminal, env: { TERM: "dumb" } })).out)).toBe(false);
  expect(hasColours((await onlooker.look(["show", "order-1"], { env: { FORCE_COLOR: "1" } })).out)).toBe(
    true,
  );
});

/** Nothing below a space but line ends and tabs, no C1, no marks of direction; of sequences only colours, where they are wanted. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const ATTACK = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const CLEAR = "\u001B[H\u001B[2J";
// oxlint-disable-next-line no-control-regex -- colours begin with one
const COLOUR = /\x1b\[\d+m/g;

test("S3: what is in data does nothing to a terminal, in text, JSON and errors", async () => {
  const onlooker = await withRuns("sqlite");
  const all = [
    ...[...JSONS, ...TEXTS].map(([, words]) => words),
    ["list", "--tag", "customer=ada", "--watch"],
    ["why", "order-2"],
    ["tail", "order-2"],
    ["stats"],
    ["doctor"],
    ["show", HOSTILE],
    ["why", "order"],
    [HOSTILE],
    ["list", "--tag", HOSTILE],
    ["list", "--status", HOSTILE],
    ["list", "--store", `${HOSTILE}:`],
  ];
  for (const words of all)
    for (const extra of [[], ["--json"]]) {
      const { out, err } = await onlooker.look([...words, ...extra], { columns: 120, interrupt: true });
      expect((out + err).replace(COLOUR, "").replace(CLEAR, ""), `everstep ${words.join(" ")}`).not.toMatch(
        ATTACK,
      );
    }
});

test("S7: payloads, stacks and properties of errors are hidden unless they are asked for", async () => {
  const onlooker = await withRuns("sqlite");
  for (const id of ["order-1", "order-2", "order-3"])
    for (const words of [
      ["list"],
      ["list", "--json"],
      ["show", id],
      ["show", id, "--json"],
      ["why", id],
      ["tail", id, "--json"],
    ]) {
      const { out, err } = await onlooker.look(words, { interrupt: true });
      expect(out + err, `everstep ${words.join(" ")}`).not.toContain(SECRET);
    }
  expect((await onlooker.look(["show", "order-1", "--show-payloads"])).out).toContain(SECRET);
});

test("S5: a page has nothing in it but text, and needs nothing else", async () => {
  const onlooker = await withRuns("sqlite");
  const evil = `</style><script>alert(1)</script><img src=x onerror="alert(1)">`;
  await onlooker.client.runs.import(
    (await readExport(onlooker, "order-1"))
      .replaceAll("order-1", "order-9")
      .replaceAll("send-mail", JSON.stringify(evil).slice(1, -1)),
  );
  expect(await onlooker.look(["show", "order-9", "--html", "order-9.html"])).toMatchObject({
    code: 0,
    err: "",
  });
  const page = readFileSync(join(onlooker.cwd, "order-9.html"), "utf8");
  expect(page).not.toMatch(/<script|<img|onerror="|javascript:|https?:/);
  expect(page).toContain("&#60;script&#62;");
  expect(page).toMatch(/Content-Security-Policy" content="default-src 'none'; style-src 'sha256-/);
  expect(page).not.toContain(SECRET);
});

async function readExport({ client }: Onlooker, id: string): Promise<string> {
  return JSON.stringify(await client.runs.export(id));
}
