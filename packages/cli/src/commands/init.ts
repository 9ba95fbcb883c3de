/** `init`: a project that runs. */
import { lstatSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import { usageError } from "../failure.ts";
import type { Frame, StorelessWork } from "../frame.ts";
import { confinedPath, writeConfined } from "../input/confined-path.ts";
import { addPathOption, type PathOptions } from "../input/session-json.ts";
import { starterFiles } from "../starter.ts";

interface InitDocument {
  readonly operation: "init";
  readonly directory: string;
  readonly files: readonly string[];
}

export function addInit(program: Command, frame: Frame): void {
  const command = program
    .command("init")
    .summary("a starter project: a workflow, its worker, a store")
    .description("Writes a starter project that runs. Nothing that is there is written over.")
    .argument("[directory]", "a new one, or one without these files", ".");
  addPathOption(command).action(frame.withoutStore<PathOptions>(init));
  withExamples(command, [
    ["init shop", "in a new directory"],
    ["init", "in this one"],
  ]);
}

const init: StorelessWork<PathOptions> = async ({ out, io, options, args: [word = "."] }) => {
  const place = { cwd: io.cwd, forced: options.forcePath };
  const directory = confinedPath(word, place);
  const files = await starterFiles(nameOf(directory));
  const there = files.filter(
    ({ name }) => lstatSync(join(directory, name), { throwIfNoEntry: false }) !== undefined,
  );
  if (there.length > 0)
    throw usageError(
      `${directory} has ${there.map(({ name }) => name).join(", ")} already, and nothing is written over: name a new directory`,
    );
  mkdirSync(directory, { recursive: true });
  for (const { name, text } of files)
    await writeConfined(name, text, { ...place, cwd: directory, isPublic: true });
  const document: InitDocument = { operation: "init", directory, files: files.map(({ name }) => name) };
  out.show(
    document,
    (shown) =>
      `wrote ${shown.files.join(", ")} to ${shown.directory}\n\nnext:\n${word === "." ? "" : `  cd ${word}\n`}  npm install\n  npm run dev\nREADME.md says what to try.\n`,
  );
};

/** What npm takes for a name. */
function nameOf(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? "durable-workflows" : name;
}
