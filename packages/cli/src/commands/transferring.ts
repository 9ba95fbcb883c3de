/** `export` and `import`: runs as JSON, a line each. What a codec sealed stays sealed. */
import type { Client } from "@everstep/core";
import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { failureOf, usageError } from "../failure.ts";
import type { Frame, Session } from "../frame.ts";
import type { Io } from "../io.ts";
import { readConfined, writeConfined } from "../input/confined-path.ts";
import { addPathOption, type PathOptions } from "../input/session-json.ts";
import { readAll, readLines } from "../input/stdin.ts";
import { plural } from "../render/plural.ts";
import { resolveRunId } from "../run-ids.ts";
import { safeJson } from "../safe-text.ts";

export function addTransferring(program: Command, frame: Frame): void {
  const exporting = program
    .command("export")
    .summary("runs as JSON that can be imported")
    .description(
      "Writes runs as JSON, one a line: a copy, with inputs, results and all payloads as they are stored. The run goes on where it is as well: pause it first if it is to move.",
    )
    .argument("<runs...>", "ids, or the beginnings of them; - for ids from standard input")
    .option("-o, --out <file>", "a new file, for its owner only; by default standard output");
  addPathOption(exporting).action(frame.withStore<ExportOptions>(exportRuns));
  withExamples(exporting, [
    ["export order-42 --out order-42.json", "into a file"],
    ["list --status stuck --ids | everstep export - --out stuck.json", "those that another command found"],
    ["export order-42 | everstep --store other.db import -", "into another store"],
  ]);

  const importing = program
    .command("import")
    .summary("put exported runs into this store")
    .description(
      "Puts exported runs into this store, under their own ids. A taken id is refused, as is whatever is not as it was exported.",
    )
    .argument("<files...>", "files that `export` wrote, or - for standard input");
  addPathOption(importing).action(frame.withStore<PathOptions>(importRuns));
  withExamples(importing, [["import order-42.json", "what `export` wrote"]]);
}

interface ExportOptions extends PathOptions {
  readonly out?: string;
}

interface ExportDocument {
  readonly operation: "export";
  readonly runs: readonly string[];
  readonly file: string;
}

async function exportRuns({ client, out, io, options, args }: Session<ExportOptions>): Promise<void> {
  const runs: string[] = [];
  let text = "";
  for (const id of await idsOf(client, args, io)) {
    text += `${safeJson(await client.runs.export(id))}\n`;
    runs.push(id);
  }
  if (options.out === undefined) {
    // Lines of JSON, with and without --json: there is nothing else to say.
    io.stdout.write(text);
    return;
  }
  const file = await writeConfined(options.out, text, { cwd: io.cwd, forced: options.forcePath });
  const document: ExportDocument = { operation: "export", runs, file };
  out.show(document, (shown) => `exported ${plural(shown.runs.length, "run")} to ${shown.file}\n`);
}

async function idsOf(client: Client, words: readonly string[], { stdin }: Io): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const word of words)
    if (word === "-") ids.push(...(await readLines(stdin)));
    else ids.push(await resolveRunId(client, word));
  return ids;
}

interface ImportDocument {
  readonly operation: "import";
  readonly done: readonly string[];
  readonly refused: readonly { readonly where: string; readonly code: string; readonly message: string }[];
}

async function importRuns({ client, out, io, options, args }: Session<PathOptions>): Promise<ExitCode> {
  const exported: { readonly where: string; readonly data: unknown }[] = [];
  for (const word of args) {
    const text =
      word === "-"
        ? await readAll(io.stdin)
        : await readConfined(word, { cwd: io.cwd, forced: options.forcePath });
    exported.push(...runsIn(text, word === "-" ? "standard input" : word));
  }
  const done: string[] = [];
  const refused: ImportDocument["refused"][number][] = [];
  for (const { where, data } of exported)
    try {
      done.push((await client.runs.import(data)).id);
    } catch (error) {
      if (exported.length === 1) throw error;
      refused.push({ where, ...failureOf(error).error });
    }
  const document: ImportDocument = { operation: "import", done, refused };
  out.show(document, importText);
  if (refused.length === 0) return EXIT.done;
  return done.length === 0 ? EXIT.failed : EXIT.partly;
}

function importText({ done, refused }: ImportDocument): string {
  const failures = refused.map(({ where, message }) => `${where}: ${message}\n`).join("");
  return `imported ${plural(done.length, "run")}\n${failures}`;
}

/** One run, laid out in any way, or one a line. */
function runsIn(text: string, where: string): readonly { readonly where: string; readonly data: unknown }[] {
  const whole = jsonIn(text);
  if (whole !== undefined) return [{ where, data: whole.data }];
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const at = `${where}, line ${index + 1}`;
    const parsed = jsonIn(line);
    if (parsed === undefined) throw usageError(`${at} is no JSON; nothing was imported`);
    return [{ where: at, data: parsed.data }];
  });
}

function jsonIn(text: string): { readonly data: unknown } | undefined {
  try {
    return { data: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
