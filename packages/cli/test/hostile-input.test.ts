/** What a command is given by scripts and by data: ids and filters (S1), paths (S2), and what it answers with (S3). */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { workflow } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { KINDS, Operator } from "./support/operator.ts";

const TEXTS = [
  `'`,
  `"`,
  `';--`,
  `' OR '1'='1`,
  `'; DROP TABLE everstep_runs; --`,
  `") OR ("1"="1`,
  `%`,
  `_`,
  `%' ESCAPE '`,
  `\\`,
  `\\'`,
  `$1`,
  `$$`,
  `?1`,
  `:id`,
  `*/ --`,
  `{}`,
  `{"$ne":null}`,
  `[]`,
  `null`,
  `../../x`,
  `\u0000`,
  `a\u0000b`,
  `\uD800`,
  `\u202E`,
  `\u001b]52;c;eA==\u0007`,
  `x`.repeat(10_000),
  `'`.repeat(10_000),
] as const;

// oxlint-disable-next-line no-control-regex -- what must not be there are control characters
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/;

const quiet = workflow({ name: "quiet" }, async (ctx) => {
  await ctx.waitForSignal("go");
});

describe.each(KINDS)("on %s", (kind) => {
  test("S1: no text in place of an id or in a filter reaches another run", async () => {
    const operator = new Operator(kind);
    await operator.client.start(quiet, null, { id: "victim", tags: { customer: "ada" } });
    const before = await operator.store.read("victim");
    for (const text of TEXTS)
      for (const words of [
        ["cancel", text, "--yes"],
        ["resume", "--workflow", text, "--yes"],
        ["pause", "--run-version", text, "--yes"],
        ["cancel", "--parent", text, "--yes"],
        ["cancel", "--tag", `customer=${text}`, "--yes"],
        ["cancel", "--tag", `${text}=ada`, "--yes"],
        ["resolve", "--step", text, "--rerun", "--yes"],
        ["skip", "--failed-with", text, "--step", "x", "--yes"],
        ["signal", "--name", "go", "--parent", text, "--id", "1", "--yes"],
      ]) {
        const { code, out, err } = await operator.type(words);
        const line = JSON.stringify(words).slice(0, 120);
        // Refused; or it is a filter like any other, and finds nothing.
        expect([0, 1, 2, 3], `typed ${line}`).toContain(code);
        if (code === 0) expect(out, `typed ${line}`).toMatch(/^no run to /);
        expect(err, `typed ${line}`).not.toMatch(/syntax|SQLSTATE|Error:|at .*\.ts/);
        expect(out + err, `typed ${line}`).not.toMatch(CONTROLS);
      }
    const after = await operator.store.read("victim");
    expect(after?.run).toEqual(before?.run);
    expect(await operator.client.runs.count()).toBe(1);
  });

  test("S1: a run may have such an id, and is the only one that is meant by it", async () => {
    const operator = new Operator(kind);
    const ids = TEXTS.filter((text) => text.length < 200 && text.isWellFormed() && !CONTROLS.test(text));
    for (const id of ids) await operator.client.start(quiet, null, { id: `${id}1` });
    for (const id of ids) await operator.client.start(quiet, null, { id });
    for (const [index, id] of ids.entries()) {
      const { out } = await operator.type(["pause", "--json", "--", id]);
      expect(JSON.parse(out), `paused ${id}`).toMatchObject({ done: [id] });
      expect(await operator.client.runs.count({ paused: true })).toBe(index + 1);
    }
    const piped = await operator.json(["resume", "-", "--yes"], { input: ids.join("\n") });
    expect(piped).toMatchObject({ done: { length: ids.length }, refused: [] });
  });

  test("S3: what comes from data can't speak to the terminal", async () => {
    const operator = new Operator(kind);
    const evil = "\u001b]52;c;eA==\u0007\u009b31m\u202Etxt";
    await operator.client.start(quiet, null, { id: "evil", tags: { note: "\u202Etxt" } });
    await operator.type(["pause", "evil", "--because", evil]);
    for (const words of [
      ["resume", "evil", "--dry-run"],
      ["retry", "evil"],
      ["cancel", evil],
      ["resume", "--tag", evil],
      ["export", "evil"],
      ["signal", "evil", evil, "1"],
      ["start", evil],
      ["start", evil, "--unseen"],
      ["emit", "x", evil],
    ])
      for (const all of [words, [...words, "--json"]]) {
        const { out, err } = await operator.type(all);
        expect(out + err, `typed ${JSON.stringify(all)}`).not.toMatch(CONTROLS);
      }
  });
});

test("S2: files are read and written in the working directory only, and not through links", async () => {
  const operator = new Operator("sqlite");
  const { cwd } = operator;
  const outside = join(dirname(cwd), `${cwd.split("/").at(-1)}-outside`);
  const unique = `new-${outside.split("/").at(-1)}`;
  mkdirSync(outside);
  onTestFinished(() => rmSync(outside, { recursive: true }));
  writeFileSync(join(outside, "secret.json"), '"secret"');
  mkdirSync(join(cwd, "inside"));
  symlinkSync(outside, join(cwd, "inside/link"));
  symlinkSync(join(outside, "secret.json"), join(cwd, "secret.json"));
  symlinkSync(join(outside, "new.json"), join(cwd, "dangling.json"));
  await operator.client.start(quiet, null, { id: "r" });
  const files = readdirSync(outside);

  const paths = [
    `../../${unique}`,
    `../${outside.split("/").at(-1)}/secret.json`,
    `inside/../../${unique}`,
    join(outside, "secret.json"),
    "inside/link/secret.json",
    "secret.json",
    "dangling.json",
    "a\u0000b",
    "",
  ];
  for (const path of paths)
    for (const words of [
      ["export", "r", "--out", path],
      ["import", path],
      ["signal", "r", "go", `@${path}`],
      ["start", "quiet", `@${path}`],
      ["migrate", `--sql=${path === "" ? "../y" : path}`],
      ["init", path === "" ? ".." : path],
    ]) {
      const { code, out, err } = await operator.type(words);
      expect({ code, out }, `${JSON.stringify(words)} ${err}`).toEqual({ code: 2, out: "" });
      expect(err).not.toContain("secret\n");
    }
  expect(readdirSync(outside)).toEqual(files);
  expect(existsSync(join(dirname(cwd), unique))).toBe(false);
  expect((await operator.client.runs.read("r")).signals).toEqual([]);

  const meant = await operator.type(["signal", "r", "go", "@secret.json", "--force-path"]);
  expect(meant.code).toBe(0);
  expect((await operator.type(["export", "r", "--out", "inside/r.json"])).code).toBe(0);
  expect(JSON.parse(readFileSync(join(cwd, "inside/r.json"), "utf8"))).toMatchObject({ everstep: 1 });
});

test("S7: what a file holds is not quoted when it is no JSON", async () => {
  const operator = new Operator("sqlite");
  await operator.client.start(quiet, null, { id: "r" });
  writeFileSync(join(operator.cwd, ".env"), "TOKEN=canary-1");
  const file = await operator.type(["signal", "r", "go", "@.env"]);
  const piped = await operator.type(["signal", "r", "go", "-"], { input: "TOKEN=canary-1" });
  for (const { code, err } of [file, piped]) {
    expect(code).toBe(2);
    expect(err).toContain("is no JSON");
    expect(err).not.toContain("canary");
  }
});

test("S10: what is nested too deeply or too long is refused in a sentence", async () => {
  const operator = new Operator("sqlite");
  await operator.client.start(quiet, null, { id: "r" });
  writeFileSync(join(operator.cwd, "deep.json"), "[".repeat(100_000) + "]".repeat(100_000));
  writeFileSync(join(operator.cwd, "long.json"), JSON.stringify("x".repeat(2_000_000)));
  for (const words of [
    ["start", "quiet", "--unseen", "@deep.json"],
    ["start", "quiet", "--unseen", "@long.json"],
    ["signal", "r", "go", "@deep.json"],
    ["signal", "r", "go", "@long.json"],
    ["emit", "x", "@deep.json"],
    ["import", "deep.json"],
    ["import", "long.json"],
  ]) {
    const { code, out, err } = await operator.type(words);
    expect(code, `typed ${words.join(" ")}`).toBeGreaterThan(0);
    expect(out).toBe("");
    expect(err, `typed ${words.join(" ")}`).toMatch(/^everstep: (?!RangeError).{20,400}\n$/);
  }
  expect(await operator.client.runs.count()).toBe(1);
});

test("S2: a module of a codec that can't be loaded is named", async () => {
  const operator = new Operator("sqlite");
  await operator.client.runs.count();
  writeFileSync(join(operator.cwd, "nothing.js"), "export const a = 1;");
  for (const [file, says] of [
    ["missing.js", /missing\.js could not be loaded/],
    ["nothing.js", /nothing\.js does not export `codec`/],
  ] as const) {
    const { code, err } = await operator.type(["list", "--codec", file]);
    expect(code).toBe(1);
    expect(err).toMatch(says);
  }
});

test("S2: what is no module of workflows is refused, and nothing but a file is loaded", async () => {
  const operator = new Operator("sqlite");
  writeFileSync(join(operator.cwd, "nothing.ts"), "export const a = 1;");
  writeFileSync(join(operator.cwd, "broken.ts"), "throw new Error('at its top');");
  for (const [module, message] of [
    ["data:text/javascript,process.exit(9)", "there is no such file"],
    ["node:fs", "there is no such file"],
    ["missing.ts", "there is no such file"],
    [".", "there is no such file"],
    ["a\u0000b", "there is no such file"],
    ["nothing.ts", "exports no workflow"],
    ["broken.ts", "could not be loaded"],
  ] as const) {
    const { code, err } = await operator.type(["check", "--workflows", module]);
    expect(code, `module ${module}`).toBe(2);
    expect(err).toContain(message);
  }
});

test("S3: ids that look like one another are told apart", async () => {
  const operator = new Operator("sqlite");
  const ids = [
    "order-1",
    "order\u00ad-1",
    "order-1\u3164",
    "order\u034f-1",
    "order\u180e-1",
    "order\u200b-1",
  ];
  const waiting = workflow({ name: "waiting" }, (ctx) => ctx.waitForSignal("go"));
  for (const id of ids) await operator.client.start(waiting, undefined, { id });
  const { out } = await operator.type(["list", "--ids", "--oldest"]);
  expect(out.trim().split("\n")).toEqual([
    "order-1",
    "order\\xad-1",
    "order-1\\u{3164}",
    "order\\u{34f}-1",
    "order\\u{180e}-1",
    "order\\u{200b}-1",
  ]);
});
