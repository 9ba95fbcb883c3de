/** The command as a shell meets it: its help, its exit codes, where it finds the store, and how it starts and ends as a process. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, type Codec, FatalError, Worker, workflow } from "@everstep/core";
import type { Command } from "commander";
import { describe, expect, onTestFinished, test } from "vitest";
import { programOf } from "../src/program.ts";
import { Frame } from "../src/frame.ts";
import { parseDuration, parseInstant } from "../src/human.ts";
import { parseLocation } from "../src/store/location.ts";
import { Onlooker } from "./support/onlooker.ts";
import { importShownRuns, NOON } from "./support/shown-runs.ts";

const golden = (name: string): string => join(import.meta.dirname, "golden", name);
const exec = promisify(execFile);
const MAIN = join(import.meta.dirname, "../src/main.ts");

const looker = (): Onlooker => new Onlooker("sqlite", { now: NOON });

describe("help", () => {
  test("of the program", async () => {
    const { code, out } = await looker().look(["--help"], { columns: 100 });
    expect(code).toBe(0);
    await expect(out).toMatchFileSnapshot(golden("help/everstep.txt"));
  });

  test("of every command: what it does, in a line, and examples", async () => {
    const onlooker = looker();
    for (const command of allCommands()) {
      expect(command.summary() || command.description(), `of ${command.name()}`).not.toBe("");
      const { code, out } = await onlooker.look([command.name(), "--help"], { columns: 100 });
      expect([code, out.includes("$ everstep")], `of ${command.name()}`).toEqual([0, true]);
      await expect(out).toMatchFileSnapshot(golden(`help/${command.name()}.txt`));
    }
  });
});

function allCommands(): readonly Command[] {
  const sink = { write: () => true };
  const io = { env: {}, cwd: ".", now: Date.now, stdout: sink, stderr: sink };
  return programOf(new Frame(io as unknown as ConstructorParameters<typeof Frame>[0])).commands;
}

describe("what can't be understood ends with 2, before anything is touched", () => {
  const wrong: readonly (readonly [words: readonly string[], says: RegExp])[] = [
    [["lst"], /Did you mean.*list/],
    [["list", "--statu", "stuck"], /Did you mean --status/],
    [["list", "--status", "stuk"], /waiting, compensating, stuck/],
    [["list", "--limit", "many"], /whole number/],
    [["list", "--older-than", "999999999999w"], /a hundred years/],
    [["stats", "--window", "0s"], /such as 1h/],
    [["show", "-order"], /after --/],
    [["list", "--since", "yesterday"], /2026-11-26T09:00:00Z/],
    [["list", "--older-than", "2 hours"], /90s, 5m, 2h or 7d/],
    [["list", "--tag", "ada"], /name=value/],
    [["list", "--until", "1h", "--older-than", "1h"], /give one of them/],
    [["list", "--after", "';--"], /not the "next" of a page/],
    [["list", "--store", "mysql://x"], /begins with "mysql:"/],
    [["show"], /missing required argument/],
    [["completion", "tcsh"], /bash, zsh, fish/],
  ];
  test.each(wrong)("%j", async (words, says) => {
    const { code, out, err } = await looker().look(words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(says);
  });
});

test("ids may be shortened where one run has such an id, and a whole id comes first", async () => {
  const onlooker = looker();
  await importShownRuns(onlooker.client);
  expect((await onlooker.look(["why", "order-3/"])).code).toBe(0);
  await onlooker.client.runs.import(
    JSON.stringify(await onlooker.client.runs.export("order-3")).replaceAll("order-3", "basket-77"),
  );
  await onlooker.client.runs.import(
    JSON.stringify(await onlooker.client.runs.export("order-3/packing")).replaceAll("order-3", "basket-77"),
  );
  expect((await onlooker.look(["why", "bask"])).out).toContain("Run basket-77 of");
  expect((await onlooker.look(["why", "order-3"])).out).toContain("Run order-3 of");
  expect(await onlooker.look(["why", "order-"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("order-3") as string,
  });
  expect(await onlooker.look(["why", "nobody"])).toMatchObject({ code: 3 });
  const { err } = await onlooker.look(["why", "nobody", "--json"]);
  expect(JSON.parse(err)).toMatchObject({ error: { code: "RUN_NOT_FOUND" } });
});

describe("the store", () => {
  test.each(["everstep.config.json", "package.json"])(
    "is said once in %s, for all directories below",
    async (name) => {
      const onlooker = looker();
      await importShownRuns(onlooker.client);
      const config = { store: "shop.db" };
      writeFileSync(
        join(onlooker.cwd, name),
        JSON.stringify(name === "package.json" ? { everstep: config } : config),
      );
      mkdirSync(join(onlooker.cwd, "src"));
      const { out } = await onlooker.look(["list", "--ids"], {
        directory: "src",
        env: { EVERSTEP_STORE: "" },
      });
      expect(out).toContain("order-1\n");
    },
  );

  test("is read from the variable that the config names", async () => {
    const onlooker = looker();
    writeFileSync(join(onlooker.cwd, "everstep.config.json"), '{ "store": "env:SHOP" }');
    const env = { EVERSTEP_STORE: "" };
    expect(await onlooker.look(["list"], { env })).toMatchObject({
      code: 2,
      err: expect.stringContaining("SHOP") as string,
    });
    expect(await onlooker.look(["list"], { env: { ...env, SHOP: onlooker.url } })).toMatchObject({ code: 0 });
  });

  test("has a name without its password", () => {
    const location = parseLocation(
      "postgres://ada:secret@db:5433/shop?schema=s&pooler=transaction&sslmode=require",
      ".",
    );
    expect(location).toEqual({
      kind: "postgres",
      url: "postgres://ada:secret@db:5433/shop?sslmode=require",
      schema: "s",
      transactionPooler: true,
      name: "postgres://db:5433/shop schema s",
    });
  });
});

/** As good as a cipher for those who lack it. */
const CODEC = `export const codec = {
  encode: (text) => "sealed:" + btoa(encodeURIComponent(text)),
  decode: (text) => decodeURIComponent(atob(text.slice("sealed:".length))),
};`;
const codec: Codec = {
  encode: (text) => `sealed:${btoa(encodeURIComponent(text))}`,
  decode: (text) => decodeURIComponent(atob(text.slice("sealed:".length))),
};

test("S8: without the codec a run is shown as far as it is not sealed; with it, as it is", async () => {
  const onlooker = looker();
  const order = workflow({ name: "order" }, (ctx) =>
    ctx.step("charge", () => {
      throw new FatalError("no money of ada's");
    }),
  );
  const { store } = onlooker;
  const worker = new Worker({ store, workflows: [order], codec });
  onTestFinished(async () => void (await worker.stop()));
  await worker.start();
  await new Client({ store, codec }).start(order, { secret: 1 }, { id: "sealed-1" });
  await onlooker.until("sealed-1", "failed");
  writeFileSync(join(onlooker.cwd, "codec.mjs"), CODEC);
  const words = ["show", "sealed-1", "--show-payloads", "--json"];

  const { out } = await onlooker.look(words);
  expect(JSON.parse(out)).toMatchObject({
    sealed: true,
    status: "failed",
    journal: [{ kind: "step", key: "charge" }, { kind: "end" }],
  });
  expect(await onlooker.look(["why", "sealed-1"])).toMatchObject({ code: 0 });
  for (const command of ["show", "why"])
    expect((await onlooker.look([command, "sealed-1"])).out).not.toContain("ada");
  expect((await onlooker.look(["list", "--ids"])).out).toBe("sealed-1\n");
  expect((await onlooker.look(["list"])).out).toContain("\tits error can't be decoded: ");

  expect((await onlooker.look(["list", "--step", "charge", "--ids"])).out).toBe("sealed-1\n");
  expect(await onlooker.look(["list", "--failed-with", "ada", "--ids"])).toEqual({
    code: 0,
    out: "",
    err: "1 run left out: without the codec nobody knows what they failed with\n",
  });

  const withKey = ["--codec", "codec.mjs"];
  expect(JSON.parse((await onlooker.look([...words, ...withKey])).out)).toMatchObject({
    sealed: false,
    input: { secret: 1 },
  });
  expect((await onlooker.look(["why", "sealed-1", ...withKey])).out).toContain("no money of ada's");
  expect((await onlooker.look(["list", ...withKey])).out).toContain(
    "\tstep charge failed: no money of ada's\n",
  );
  const found = await onlooker.look(["list", "--failed-with", "ada", "--ids", ...withKey]);
  expect(found).toEqual({ code: 0, out: "sealed-1\n", err: "" });
});

test("durations and instants are read as they are written", () => {
  expect(["80ms", "90s", "5m", "2h", "7d", "2w", "1.5h"].map((text) => parseDuration(text, "--x"))).toEqual([
    80, 90_000, 300_000, 7_200_000, 604_800_000, 1_209_600_000, 5_400_000,
  ]);
  expect(parseInstant("2h", "--x", NOON)).toBe(NOON - 7_200_000);
  expect(parseInstant("2026-01-15T13:00:00+01:00", "--x", 0)).toBe(NOON);
});

describe("completion", () => {
  test.each(["bash", "zsh", "fish"])("for %s knows the commands and their options", async (shell) => {
    const { code, out } = await looker().look(["completion", shell]);
    expect(code).toBe(0);
    for (const word of [...allCommands().map((command) => command.name()), "status", "show-payloads"])
      expect(out).toContain(word);
  });

  test("for bash completes", async () => {
    const { out } = await looker().look(["completion", "bash"]);
    const complete = async (...words: readonly string[]): Promise<string> => {
      const script = `${out}\nCOMP_WORDS=(everstep ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _everstep; echo "\${COMPREPLY[*]}"`;
      return (await exec("bash", ["-c", script])).stdout.trim();
    };
    expect(await complete("do")).toBe("doctor");
    expect(await complete("list", "--old")).toBe("--older-than --oldest");
    expect(await complete("--sto")).toBe("--store");
    expect(await complete("--store", "x.db", "li")).toBe("list");
    expect(await complete("--store", "x.db", "list", "--old")).toBe("--older-than --oldest");
    expect(await complete("completion", "z")).toBe("zsh");
  });
});

interface Started {
  readonly stdout: string;
  readonly stderr: string;
}

function started(words: readonly string[], options: { readonly cwd: string }): Promise<Started> {
  return exec(process.execPath, ["--conditions=@everstep/source", MAIN, ...words], {
    ...options,
    env: { PATH: process.env["PATH"] },
  });
}

describe("as a process", () => {
  test("it answers, and ends by itself with its exit code", async () => {
    const { cwd, client } = looker();
    await importShownRuns(client);
    const [{ stdout, stderr }] = await Promise.all([
      started(["show", "order-1", "--json", "--store", "shop.db"], { cwd }),
      expect(started(["show", "nobody", "--store", "shop.db"], { cwd })).rejects.toMatchObject({ code: 3 }),
      expect(started(["list"], { cwd: "/" })).rejects.toMatchObject({ code: 2 }),
    ]);
    expect([JSON.parse(stdout), stderr]).toMatchObject([{ id: "order-1" }, ""]);
  });

  test("whoever stops reading ends it quietly", async () => {
    const { cwd, client } = looker();
    await importShownRuns(client);
    const child = spawn(
      process.execPath,
      ["--conditions=@everstep/source", MAIN, "tail", "order-3", "--store", "shop.db"],
      { cwd },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    child.stdout.destroy();
    let said = "";
    child.stderr.on("data", (text: Buffer) => (said += text.toString()));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, said]).toEqual([0, ""]);
  });

  test("it says what to install where the driver is missing", async () => {
    const { cwd } = looker();
    const missing = `import { registerHooks } from "node:module";
      registerHooks({ resolve: (name, context, next) => {
        if (name !== "better-sqlite3" && name !== "pg") return next(name, context);
        throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: "ERR_MODULE_NOT_FOUND" });
      } });`;
    for (const [store, driver] of Object.entries({
      "shop.db": "better-sqlite3",
      "postgres://db/shop": "pg",
    })) {
      const hook = `--import=data:text/javascript,${encodeURIComponent(missing)}`;
      const words = [hook, "--conditions=@everstep/source", MAIN, "list", "--json", "--store", store];
      const failed: unknown = await exec(process.execPath, words, { cwd }).catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: 1, stdout: "" });
      expect((failed as Started).stderr).toContain(`npm install ${driver}`);
    }
  });

  test("Ctrl-C ends what goes on for ever, in order", async () => {
    const { cwd } = looker();
    const child = spawn(
      process.execPath,
      ["--conditions=@everstep/source", MAIN, "tail", "--store", "shop.db"],
      { cwd },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
    child.stderr.once("data", () => child.kill("SIGINT"));
    expect(await ended).toEqual([0, null]);
  });
});
