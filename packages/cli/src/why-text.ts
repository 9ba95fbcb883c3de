/** Why a run is where it is. What to do is told beside it, as command lines: see remedies.ts. */
import type { Client } from "@everstep/core";
import { commandLine } from "./shell-word.ts";

export async function whyText(client: Client, id: string): Promise<string> {
  const { runs } = await client.runs.list({ ids: [id], limit: 1 });
  return asCommands(await client.runs.why(id), id, runs[0]?.workflow ?? "");
}

/** The library tells its callers which method helps; here commands do. An id may have a $ in it, which a replacement text would not take as it is. */
function asCommands(why: string, id: string, workflow: string): string {
  return why
    .replaceAll(` Resume it with client.runs.resume("${id}").`, "")
    .replaceAll(`, with client.runs.move("${id}", { to })`, "")
    .replaceAll(`client.workflows.resume("${workflow}")`, () =>
      commandLine("resume", [], ["--workflow", workflow]),
    );
}
