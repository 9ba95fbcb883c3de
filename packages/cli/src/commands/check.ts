/** `check`: what a deploy would do to the runs that are under way. */
import type { Client, RunSummary, Workflow } from "@everstep/core";
import type { Command } from "commander";
import { LIVE } from "../change/change.ts";
import { progressOf } from "../change/progress.ts";
import { selectedRuns } from "../change/selected-runs.ts";
import { withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import type { Frame, Session } from "../frame.ts";
import { loadWorkflows } from "../input/workflows-module.ts";
import { plural } from "../render/plural.ts";
import type { Screen } from "../render/screen.ts";
import { addSelection, type SelectionOptions } from "../run-selection.ts";
import { clientFor } from "../store/client-for.ts";
import { type Finding, findingOf } from "./check-findings.ts";

interface Options extends SelectionOptions {
  readonly workflows: string;
}

interface CheckDocument {
  /** Runs that were replayed. */
  readonly checked: number;
  /** Of those: they would go on. */
  readonly fit: number;
  /** Stuck runs that would go on with this code, once they are resumed. */
  readonly mended: readonly string[];
  /** Runs of workflows that the module does not have: not looked at. */
  readonly others: number;
  readonly findings: readonly Finding[];
}

export function addCheck(program: Command, frame: Frame): void {
  const command = program
    .command("check")
    .summary("replay all unfinished runs with new code, before it is deployed")
    .description(
      "Replays the journals of all unfinished runs with the module's workflows, without calling any body or writing anything, and lists the runs that would not go on, where, and how to mend it. The exit code is 1 if there are any: for CI.",
    )
    .requiredOption("--workflows <module>", "the module that exports the workflows to be deployed");
  addSelection(command).action(frame.withStore<Options>(check));
  withExamples(command, [
    ["check --workflows ./src/workflows.ts", "before a deploy"],
    ["check --workflows ./src/workflows.ts --workflow order --json", "one workflow, for a script"],
  ]);
}

const AT_A_TIME = 8;

async function check(session: Session<Options>): Promise<ExitCode> {
  const restore = divertConsole();
  try {
    const document = await checked(session);
    session.out.show(document, checkText);
    return document.findings.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    restore();
  }
}

async function checked(session: Session<Options>): Promise<CheckDocument> {
  const { options, io } = session;
  const module = await loadWorkflows(options.workflows, io.cwd);
  const client = await clientFor(session, module);
  const names = new Set(module.workflows.map(({ name }) => name));
  const runs: RunSummary[] = [];
  let others = 0;
  const filter = { ...options, status: options.status ?? LIVE };
  for await (const run of selectedRuns({ ...session, client }, filter, io.now()))
    if (names.has(run.workflow)) runs.push(run);
    else others += 1;
  const results = await replayAll(session, client, { runs, workflows: module.workflows });
  const findings = results.flatMap(({ finding }) => finding ?? []);
  return {
    checked: results.length,
    fit: results.length - findings.length,
    mended: results.flatMap(({ run, finding }) =>
      run.status === "stuck" && finding === undefined ? [run.id] : [],
    ),
    others,
    findings,
  };
}

interface Result {
  readonly run: RunSummary;
  readonly finding: Finding | undefined;
}

async function replayAll(
  { io, out }: Pick<Session<unknown>, "io" | "out">,
  client: Client,
  { runs, workflows }: { readonly runs: readonly RunSummary[]; readonly workflows: readonly Workflow[] },
): Promise<readonly Result[]> {
  const progress = progressOf(io, { what: "replay", count: runs.length, isQuiet: out.isJson });
  const results: Result[] = [];
  const rest = runs.values();
  const lane = async (): Promise<void> => {
    for (const run of rest) {
      const finding = await findingOf(client, run, workflows);
      // It ended while the others were looked at.
      if (finding !== "ended") results.push({ run, finding });
      progress.at(results.length);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  progress.end();
  return results.toSorted((a, b) => (a.run.id < b.run.id ? -1 : 1));
}

/** Handlers are called, and may print outside of their steps: that must not get into the answer. */
function divertConsole(): () => void {
  const { log, info, debug } = console;
  Object.assign(console, { log: console.error, info: console.error, debug: console.error });
  return () => void Object.assign(console, { log, info, debug });
}

function checkText({ checked, findings, mended, others }: CheckDocument, screen: Screen): string {
  const lines = [
    `${plural(checked, "unfinished run")} checked: ${findings.length === 0 ? "all would go on" : `${findings.length} would not go on`}`,
  ];
  if (others > 0)
    lines.push(`${plural(others, "run")} of workflows that the module does not have: not looked at`);
  if (mended.length > 0) lines.push(`stuck now, and would go on once resumed: ${mended.join(", ")}`);
  for (const { id, workflow, version, verdict, at, message, remedy } of findings)
    lines.push(
      "",
      `${screen.paint("red", verdict)} ${screen.paint("bold", id)} (${workflow} version ${version})${at === null ? "" : ` at entry ${at.seq}, ${at.kind} ${at.key}`}`,
      `  ${message}`,
      `  to mend it: ${remedy}`,
    );
  return `${lines.join("\n")}\n`;
}
