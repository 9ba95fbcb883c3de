import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { resolveRunId } from "../run-ids.ts";
import { whyText } from "../why-text.ts";

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
  out.show({ id, why: await whyText(client, id) }, (document) => `${document.why}\n`);
};
