import { setTimeout as sleep } from "node:timers/promises";
import type { Client, RunFilter, Store } from "@everstep/core";
import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { usageError } from "../failure.ts";
import type { Frame, Work } from "../frame.ts";
import { parseCount } from "../human.ts";
import { resolveRunId } from "../run-ids.ts";
import { needsReading } from "../run-matching.ts";
import { addSelection, filterOf, type SelectionOptions } from "../run-selection.ts";

interface Options extends SelectionOptions {
  readonly runs: string;
}

/** Without a hint it looks again after so long; with many, not sooner than that. */
const POLL_MS = 1000;
const PAUSE_MS = 150;

export function addTail(program: Command, frame: Frame): void {
  const command = program
    .command("tail")
    .summary("what runs do, as they do it")
    .description(
      "Follows runs: new entries, and what becomes of the runs. With one run, from its beginning until it ends.",
    )
    .argument("[run]", "its id, or the beginning of it");
  addSelection(command)
    .option("--runs <count>", "how many runs are followed at most: the newest", "100")
    .action(frame.withStore<Options>(tail));
  withExamples(command, [
    ["tail", "all that happens"],
    ["tail order-42", "order-42 until it ends; exits with 1 unless it completes"],
    ["tail --workflow order --json", "one JSON document a line"],
  ]);
}

const tail: Work<Options> = async ({ client, store, out, io, options, args: [text] }) => {
  if (needsReading(options)) throw usageError("tail can't select by --step or --failed-with");
  const { Tail } = await import("../tailing.ts");
  const { tailText } = await import("../render/tail-text.ts");
  const id = text === undefined ? undefined : await resolveRunId(client, text);
  const runsMax = parseCount(options.runs, "--runs");
  const filter: RunFilter = id === undefined ? filterOf(options, io.now()) : { ids: [id] };
  const { now } = await store.list({}, { limit: 1 });
  const follower = new Tail(client, { filter, since: id === undefined ? now : 0, runsMax });
  const hints = hintsOf(store, io.interrupted);
  try {
    for (let looks = 0; !io.interrupted.aborted; looks++) {
      for (const document of await follower.look()) out.showLine(document, tailText);
      if (id !== undefined && follower.isOver) return await codeOf(client, id);
      if (looks === 0 && id === undefined) out.note("following; Ctrl-C ends it");
      await hints.next();
    }
    return EXIT.done;
  } finally {
    hints.stop();
  }
};

async function codeOf(client: Client, id: string): Promise<ExitCode> {
  const { runs } = await client.runs.list({ ids: [id], limit: 1 });
  return runs[0]?.status === "completed" ? EXIT.done : EXIT.failed;
}

interface Hints {
  /** Resolves when something may have changed. */
  next(): Promise<void>;
  stop(): void;
}

function hintsOf(store: Store, interrupted: AbortSignal): Hints {
  let wake: (() => void) | undefined;
  let heard = false;
  const hear = (): void => {
    heard = true;
    wake?.();
  };
  interrupted.addEventListener("abort", hear);
  const unwatch = store.watch(hear);
  return {
    async next() {
      await sleep(PAUSE_MS, undefined, { signal: interrupted }).catch(() => {});
      if (!heard)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      heard = false;
      wake = undefined;
    },
    stop() {
      interrupted.removeEventListener("abort", hear);
      unwatch();
    },
  };
}
