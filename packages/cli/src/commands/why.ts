import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { type Remedy, remediesOf } from "../remedies.ts";
import { resolveRunId } from "../run-ids.ts";
import { namedStore } from "../store/location.ts";
import { whyText } from "../why-text.ts";

interface WhyDocument {
  readonly id: string;
  readonly why: string;
  readonly remedies: readonly Remedy[];
}

export function addWhy(program: Command, frame: Frame): void {
  const command = program
    .command("why")
    .summary("why a run is where it is, and what to do")
    .description(
      "One paragraph: what the run waits for, since when, until when; and the commands that help, each with when it is right.",
    )
    .argument("<run>", "its id, or the beginning of it")
    .action(frame.withStore(why));
  withExamples(command, [
    ["why order-42", "what order-42 waits for"],
    ["why order-42 --json", "the same for a script"],
  ]);
}

const why: Work<unknown> = async ({ client, store, out, options, args: [text = ""] }) => {
  const id = await resolveRunId(client, text);
  const [told, remedies] = await Promise.all([
    whyText(client, id),
    remediesOf({ client, store }, id, namedStore(options)),
  ]);
  out.show({ id, why: told, remedies }, whyPage);
};

/** A command stands alone in its line: it is to be copied. */
function whyPage({ why: told, remedies }: WhyDocument): string {
  return `${told}\n${remedies.map(({ command, when }) => `\nIf ${when}:\n  ${command}\n`).join("")}`;
}
