/** A project that `everstep init` begins, offline against the packages of this repository: it type-checks, runs, and is developed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@everstep/core";
import { sqlite } from "@everstep/adapters/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { eventually, Operator } from "./support/operator.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const MAIN = join(import.meta.dirname, "../src/main.ts");

class Project {
  readonly directory: string;
  readonly files: readonly string[];

  private constructor(directory: string) {
    this.directory = directory;
    this.files = readdirSync(directory).toSorted();
    const modules = join(directory, "node_modules");
    mkdirSync(join(modules, "@types"), { recursive: true });
    symlinkSync(join(REPOSITORY, "packages/cli/node_modules/@everstep"), join(modules, "@everstep"));
    symlinkSync(join(REPOSITORY, "node_modules/@types/node"), join(modules, "@types/node"));
  }

  static async init(): Promise<Project> {
    const operator = new Operator("sqlite");
    const { code, out } = await operator.type(["init", "my shop"]);
    expect(code).toBe(0);
    expect(out).toContain("npm run dev");
    expect((await operator.type(["init", "my shop"])).err).toContain("nothing is written over");
    return new Project(join(operator.cwd, "my shop"));
  }

  /** With the sources of this repository as the installed packages. */
  spawn(...words: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, ["--conditions=@everstep/source", ...words], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  }

  everstep(...words: readonly string[]): string {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--conditions=@everstep/source", MAIN, ...words],
      { cwd: this.directory, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`everstep ${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  edit(file: string, from: string, to: string): void {
    const path = join(this.directory, file);
    const text = readFileSync(path, "utf8");
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  }

  client(): Client {
    const store = sqlite(join(this.directory, "everstep.db"), { mustExist: true });
    onTestFinished(() => store.close());
    return new Client({ store });
  }
}

function outputOf(child: ChildProcess): () => string {
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

test("it has what it says, and type-checks", async () => {
  const project = await Project.init();
  expect(project.files).toEqual([
    ".gitignore",
    "README.md",
    "everstep.config.json",
    "package.json",
    "tsconfig.json",
    "worker.ts",
    "workflows.ts",
  ]);
  const manifest = JSON.parse(readFileSync(join(project.directory, "package.json"), "utf8")) as unknown;
  expect(manifest).toMatchObject({ name: "my-shop", type: "module" });
  const tsc = join(REPOSITORY, "node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(tsc, ["-p", ".", "--customConditions", "@everstep/source"], {
    cwd: project.directory,
    encoding: "utf8",
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

test("its worker executes what its README says, by itself and as a command", async () => {
  const project = await Project.init();
  const own = project.spawn("worker.ts");
  const ownText = outputOf(own);
  await eventually("the worker is ready", () => ownText().includes("the worker is ready"));
  project.everstep("start", "order", '{ "orderId": "42", "cents": 1999 }', "--id", "order-42");
  expect(await project.client().get("order-42").result()).toEqual({ orderId: "42", chargeId: "charge-42" });
  own.kill("SIGTERM");
  await once(own, "exit");
  expect(ownText().match(/charged 1999 cents/g)).toHaveLength(1);

  const command = project.spawn(MAIN, "worker", "--workflows", "./workflows.ts", "--json");
  const lines = outputOf(command);
  await eventually("it says that it is there", () => lines().includes("order@1"));
  project.everstep("start", "order", '{ "orderId": "43", "cents": 100001 }', "--id", "order-43");
  await expect(project.client().get("order-43").result()).rejects.toThrow("declined");
  command.kill("SIGTERM");
  expect(await once(command, "exit")).toEqual([0, null]);
  expect(lines()).toContain("43: stock released");
  const [first = ""] = lines().split("\n");
  expect(JSON.parse(first)).toMatchObject({ level: "info", fields: {} });
});

test("dev starts its worker again when the workflows change, and ends with Ctrl-C", async () => {
  const project = await Project.init();
  const dev = project.spawn(MAIN, "dev", "--workflows", "./workflows.ts");
  const text = outputOf(dev);
  await eventually("it executes version 1", () => text().includes("executes order@1"));
  project.edit("workflows.ts", '{ name: "order" }', '{ name: "order", version: "2" }');
  await eventually("it executes version 2", () => text().includes("executes order@2"));
  dev.kill("SIGINT");
  expect(await once(dev, "exit")).toEqual([0, null]);
  const live = (await project.client().workflows.list()).filter(({ liveWorkers }) => liveWorkers > 0);
  expect(live).toEqual([]);
});
