import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { writeConfined } from "../input/confined-path.ts";
import { remediesOf } from "../remedies.ts";
import { safeData } from "../safe-text.ts";
import { resolveRunId } from "../run-ids.ts";
import { whyText } from "../why-text.ts";

interface Options {
  readonly showPayloads?: boolean;
  readonly html?: string;
  readonly forcePath?: boolean;
}

export function addShow(program: Command, frame: Frame): void {
  const command = program
    .command("show")
    .summary("one run: what it did and when, errors, waits, children, what operators did")
    .description("Shows one run: where it is, and its journal as a timeline.")
    .argument("<run>", "its id, or the beginning of it")
    .option("--show-payloads", "input, result and values as well: they may hold secrets")
    .option("--html <file>", "write one self-contained page, in this directory; - for standard output")
    .option("--force-path", "write the page anywhere, and through links")
    .action(frame.withStore<Options>(show));
  withExamples(command, [
    ["show order-42", "what order-42 did, and where it is"],
    ["show order-42 --show-payloads", "with its input, results and values"],
    ["show order-42 --html order-42.html", "a page to hand on"],
  ]);
}

const show: Work<Options> = async ({ client, store, out, io, options, args: [text = ""] }) => {
  const { showDocument } = await import("../run-document.ts");
  const id = await resolveRunId(client, text);
  const document = await showDocument({ client, store }, id, { payloads: options.showPayloads === true });
  if (options.html === undefined) {
    const { runText } = await import("../render/timeline.ts");
    out.show(document, runText);
    return;
  }
  const { runPage } = await import("../render/run-page.ts");
  const place = { cwd: io.cwd, forced: options.forcePath };
  const beside = { why: await whyText(client, id), remedies: await remediesOf({ client, store }, id) };
  const page = runPage(safeData(document), { now: io.now(), ...safeData(beside) });
  if (options.html === "-") {
    io.stdout.write(page);
    return;
  }
  const file = await writeConfined(options.html, page, place);
  out.show({ id, file }, (written) => `${written.file}\n`);
};
