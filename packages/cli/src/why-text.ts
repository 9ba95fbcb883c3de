/** Why a run is where it is, and the command that helps. */
import type { Client } from "@everstep/core";

export async function whyText(client: Client, id: string): Promise<string> {
  const { runs } = await client.runs.list({ ids: [id], limit: 1 });
  return asCommands(await client.runs.why(id), id, runs[0]?.workflow ?? "");
}

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
