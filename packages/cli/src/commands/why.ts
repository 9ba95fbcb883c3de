import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { resolveRunId } from "../run-ids.ts";

export function addWhy(program: Command, frame: Frame): void {
  const command = program
    .command("why")
    .summary("why a run is where it is, and what to do")
    .description("One paragraph: what the run waits for, since when, until when, and what to do.")
    .argument("<run>", "its id, or the beginning of it")
    .action(frame.withStore(why));
  withExamples(command, [
    ["why order-42", "what order-42 waits for"],
    ["why order-42 --json", "the same for a script"],
  ]);
}

const why: Work<unknown> = async ({ client, out, args: [text = ""] }) => {
  const id = await resolveRunId(client, text);
  const { runs } = await client.runs.list({ ids: [id], limit: 1 });
  const paragraph = asCommands(await client.runs.why(id), id, runs[0]?.workflow ?? "");
  out.show({ id, why: paragraph }, (document) => `${document.why}\n`);
};

/** The library tells its callers which method helps; here a command does. */
function asCommands(why: string, id: string, workflow: string): string {
  return why
    .replaceAll(`client.runs.resume("${id}")`, `everstep resume ${shellWord(id)}`)
    .replaceAll(`client.runs.move("${id}", { to })`, `everstep move ${shellWord(id)}`)
    .replaceAll(
      `client.workflows.resume("${workflow}")`,
      `everstep resume --workflow ${shellWord(workflow)}`,
    );
}

/** People paste it. */
function shellWord(text: string): string {
  return /^[\w./:@%+~-]+$/.test(text) && !text.startsWith("-") && !text.startsWith("~")
    ? text
    : `'${text.replaceAll("'", `'\\''`)}'`;
}
