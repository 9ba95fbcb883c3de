import { setTimeout as sleep } from "node:timers/promises";
import type { RunSummary } from "@everstep/core";
import type { Command } from "commander";
import { type RunDocument, runDocument } from "../documents.ts";
import { withExamples } from "../examples.ts";
import type { Frame, Session, Work } from "../frame.ts";
import { parseCount } from "../human.ts";
import type { Screen } from "../render/screen.ts";
import { MATCHED_STATUSES, matchingRuns, needsReading } from "../run-matching.ts";
import { addSelection, filterOf, type SelectionOptions } from "../run-selection.ts";

interface Options extends SelectionOptions {
  readonly limit: string;
  readonly after?: string;
  readonly oldest?: boolean;
  readonly ids?: boolean;
  readonly watch?: boolean;
}

interface ListDocument {
  readonly runs: readonly RunDocument[];
  /** To be given as `--after` for the next page; null: there is none. */
  readonly next: string | null;
}

const WATCH_MS = 2000;
/** To the beginning of the screen, and clear it. */
const CLEAR = "\u001B[H\u001B[2J";

export function addList(program: Command, frame: Frame): void {
  const command = program
    .command("list")
    .alias("ls")
    .summary("runs, newest first, by status, workflow, tag, age, step, error")
    .description(
      "Lists runs, newest first. --step and --failed-with read each run that the other options find: say more of them on a big store.",
    );
  addSelection(command)
    .option("--oldest", "oldest first")
    .option("-n, --limit <count>", "at most so many", "50")
    .option("--after <next>", "the next page: what the page before said")
    .option("--ids", "ids only, one a line: for `everstep resume -` and the like")
    .option("--watch", "again every two seconds, until Ctrl-C")
    .action(frame.withStore<Options>(list));
  withExamples(command, [
    ["list --status stuck,failed", "what needs a person"],
    ["list --workflow order --older-than 2h --status running,waiting", "orders that take long"],
    ["list --failed-with ECONNREFUSED --since 1h", "what met the outage"],
    ["list --tag customer=ada --json", "all of Ada's runs, for a script"],
  ]);
}

const list: Work<Options> = async (session) => {
  const { out, options, io } = session;
  const { runTable } = await import("../render/run-table.ts");
  const render =
    options.ids === true ? idsOf : (page: ListDocument, screen: Screen) => listText(page, screen, runTable);
  if (options.watch !== true) {
    const page = await pageOf(session);
    out.show(page, render);
    if (page.next !== null && !out.isJson) out.note(`there are more: --after ${page.next}`);
    return;
  }
  while (!io.interrupted.aborted) {
    const page = await pageOf(session);
    out.showLine(page, (seen, screen) => (screen.isTerminal ? CLEAR : "") + render(seen, screen));
    await sleep(WATCH_MS, undefined, { signal: io.interrupted }).catch(() => {});
  }
};

async function pageOf(session: Session<Options>): Promise<ListDocument> {
  const { client, options, io } = session;
  const limit = parseCount(options.limit, "--limit");
  const order = options.oldest === true ? "oldest" : "newest";
  const filter = filterOf(options, io.now());
  const narrowed = needsReading(options) ? { status: MATCHED_STATUSES, ...filter } : filter;
  const found: RunSummary[] = [];
  let next = options.after ?? null;
  do {
    const page = await client.runs.list({
      ...narrowed,
      limit,
      order,
      ...(next === null ? {} : { after: next }),
    });
    found.push(...(await matchingRuns(session, page.runs, options)));
    next = page.next;
    // A page ends where one of the store does, so that `next` leaves nothing out.
  } while (next !== null && found.length === 0 && !io.interrupted.aborted);
  return { runs: found.map(runDocument), next };
}

function idsOf({ runs }: ListDocument): string {
  return runs.map(({ id }) => `${id}\n`).join("");
}

function listText(
  { runs }: ListDocument,
  screen: Screen,
  runTable: (runs: readonly RunDocument[], screen: Screen) => string,
): string {
  if (runs.length > 0 || !screen.isTerminal) return runTable(runs, screen);
  return "no runs\n";
}
