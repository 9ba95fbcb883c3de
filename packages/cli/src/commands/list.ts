import type { Command } from "commander";
import { type RunDocument, runDocument } from "../documents.ts";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { parseCount } from "../human.ts";
import { runTable } from "../render/run-table.ts";
import type { Screen } from "../render/screen.ts";
import { addSelection, filterOf, type SelectionOptions } from "../run-selection.ts";

interface Options extends SelectionOptions {
  readonly limit: string;
  readonly after?: string;
  readonly oldest?: boolean;
  readonly ids?: boolean;
}

export interface ListDocument {
  readonly runs: readonly RunDocument[];
  /** To be given as `--after` for the next page; null: there is none. */
  readonly next: string | null;
}

export function addList(program: Command, frame: Frame): void {
  const command = program
    .command("list")
    .alias("ls")
    .summary("runs, newest first, by status, workflow, tag, age, step, error")
    .description("Lists runs, newest first.");
  addSelection(command)
    .option("--oldest", "oldest first")
    .option("-n, --limit <count>", "at most so many", "50")
    .option("--after <next>", "the next page: what the page before said")
    .option("--ids", "ids only, one a line: for `everstep resume -` and the like")
    .action(frame.withStore<Options>(list));
  withExamples(command, [
    ["list --status stuck,failed", "what needs a person"],
    ["list --workflow order --older-than 2h --status running,waiting", "orders that take long"],
    ["list --tag customer=ada --json", "all of Ada's runs, for a script"],
  ]);
}

const list: Work<Options> = async ({ client, out, options, io }) => {
  const { runs, next } = await client.runs.list({
    ...filterOf(options, io.now()),
    limit: parseCount(options.limit, "--limit"),
    order: options.oldest === true ? "oldest" : "newest",
    ...(options.after === undefined ? {} : { after: options.after }),
  });
  const document: ListDocument = { runs: runs.map(runDocument), next };
  if (options.ids === true) out.show(document, idsOf);
  else out.show(document, listText);
  if (next !== null && !out.isJson) out.note(`there are more: --after ${next}`);
};

function idsOf({ runs }: ListDocument): string {
  return runs.map(({ id }) => `${id}\n`).join("");
}

function listText({ runs }: ListDocument, screen: Screen): string {
  if (runs.length > 0 || !screen.isTerminal) return runTable(runs, screen);
  return "no runs\n";
}
