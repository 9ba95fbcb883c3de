import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { ageText, parseCount } from "../human.ts";

interface Options {
  readonly limit: string;
}

interface EventsDocument {
  readonly events: readonly {
    readonly name: string;
    readonly id: string;
    readonly at: string;
    /** How many runs it started; 0 when no workflow listened. */
    readonly runs: number;
  }[];
}

export function addEvents(program: Command, frame: Frame): void {
  const command = program
    .command("events")
    .summary("events of the last 90 days, and how many runs each started")
    .description("Lists events, newest first. One that nobody listened to has 0 runs.")
    .argument("[name]", "events of this name")
    .option("-n, --limit <count>", "at most so many", "50")
    .action(frame.withStore<Options>(events));
  withExamples(command, [
    ["events", "what was emitted last"],
    ["events cart:checked-out -n 10", "the last ten of one name"],
  ]);
}

const events: Work<Options> = async ({ client, out, options, args: [name] }) => {
  const limit = parseCount(options.limit, "--limit");
  const found = await client.events.list({ limit, ...(name === undefined ? {} : { name }) });
  const { table } = await import("../render/table.ts");
  const document: EventsDocument = {
    events: found.map((event) => ({ ...event, at: event.at.toISOString() })),
  };
  out.show(document, ({ events: rows }, screen) =>
    rows.length === 0 && screen.isTerminal
      ? "no events\n"
      : table(
          [
            { title: "AT", of: ({ at }) => (screen.isTerminal ? ageText(at, screen.now) : at) },
            { title: "EVENT", of: (event) => event.name, flexible: true },
            { title: "ID", of: ({ id }) => id, flexible: true },
            {
              title: "RUNS",
              of: ({ runs }) => String(runs),
              align: "right",
              colour: ({ runs }) => (runs === 0 ? "yellow" : undefined),
            },
          ],
          rows,
          screen,
        ),
  );
};
