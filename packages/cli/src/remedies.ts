/** What a person can do for a run: whole command lines, each with when it is the right one. The likeliest comes first. */
import { bareUndos, type Client, type RunDetails, statusOf, type Store } from "@everstep/core";
import { commandLine } from "./shell-word.ts";

export interface Remedy {
  readonly command: string;
  /** When it is right. */
  readonly when: string;
}

/** Writes a command line on the store that the person named. */
type Line = (name: string, words: readonly string[], options?: readonly string[]) => string;

const UNDO = /#undo$/;
/** Of many waits, failed steps and children. */
const SHOWN_MAX = 3;
const MODULE = ["--workflows", "./workflows.ts"] as const;
const RESULT = ["--result", "<json>"] as const;

/** `named`: options by which the person named the store. */
export async function remediesOf(
  { client, store }: { readonly client: Client; readonly store: Store },
  id: string,
  named: readonly string[] = [],
): Promise<readonly Remedy[]> {
  const details = await store.read(id);
  if (details === undefined) return [];
  const line: Line = (name, words, options = []) => commandLine(name, words, [...options, ...named]);
  const { run, workflowPaused } = details;
  const remedies = run.end === null ? liveRemedies(details, line) : endedRemedies(details, line);
  if (run.end === null && workflowPaused !== null)
    remedies.unshift({
      command: line("resume", [], ["--workflow", run.workflow]),
      when: "the reason to pause the workflow is gone",
    });
  if (run.end === null && run.waits.some(({ kind }) => kind === "child")) {
    const { runs } = await client.runs.list({ parent: id, status: ["stuck"], limit: SHOWN_MAX });
    for (const child of runs)
      remedies.unshift({ command: line("why", [child.id]), when: "its child is stuck: mend that" });
  }
  return remedies;
}

function endedRemedies({ run, journal }: RunDetails, line: Line): Remedy[] {
  if (run.end === "completed") return [];
  const isCanceled = run.end === "canceled";
  const since = isCanceled ? "it is wanted after all" : "the cause is mended";
  const [undone] = bareUndos(journal);
  if (undone !== undefined)
    return [
      {
        command: line("rewind", [run.id], ["--to", "<step>"]),
        when: `${since}: it does all again from <step> on (it can't be retried: ${undone} was undone, and nobody knows which steps that took back)`,
      },
    ];
  const from = isCanceled ? "the earliest step that was undone" : "the step that failed";
  return [{ command: line("retry", [run.id]), when: `${since}: it goes on from ${from}` }];
}

function liveRemedies(details: RunDetails, line: Line): Remedy[] {
  const { run } = details;
  if (run.stuck !== null) return stuckRemedies(details, line);
  if (run.paused !== null)
    return [{ command: line("resume", [run.id]), when: "the reason to pause it is gone" }];
  if (statusOf(run, details.now) === "running") return unservedRemedies(details, line);
  return [...unservedRemedies(details, line), ...waitRemedies(details, line)];
}

function stuckRemedies({ run, retries }: RunDetails, line: Line): Remedy[] {
  const { id } = run;
  const resume = (when: string): Remedy => ({ command: line("resume", [id]), when });
  const held = retries
    .filter(({ nextAt }) => nextAt === null)
    .map(({ key }) => key.replace(UNDO, ""))
    .slice(0, SHOWN_MAX);
  const cancel = { command: line("cancel", [id]), when: "it is given up: what it did is undone" };
  switch (run.stuck?.code) {
    case "IN_DOUBT":
      return [...held.flatMap((step) => doubtRemedies(id, step, line)), cancel];
    case "EXHAUSTED":
      return [
        resume("the cause is mended: its attempts begin anew"),
        ...held.map((step) => byHand(id, step, line)),
        cancel,
      ];
    case "UNDO_FAILED":
      // One that the code no longer registers was not tried at all.
      if (held.length === 0) return [resume("code that registers its compensations is deployed")];
      return held.flatMap((step) => [undoneAgain(id, step, line), undoneByHand(id, step, line)]);
    case "DIVERGED":
      return [
        resume("code that fits it is deployed (everstep check says whether it does)"),
        {
          command: line("move", [id], [...MODULE, "--resume"]),
          when: "a module of yours has another version that fits it (--to says which, --dry-run whether it does)",
        },
      ];
    case "POISON":
      return [resume("code that does not end its process is deployed"), cancel];
    case "UNDECODABLE":
      return [resume("workers have the codec and the key that it was written with")];
    default:
      return [resume("the cause is mended and deployed")];
  }
}

function doubtRemedies(id: string, step: string, line: Line): readonly Remedy[] {
  return [
    { command: line("resolve", [id, step], RESULT), when: `${step} happened: the JSON is what it answered` },
    {
      command: line("resolve", [id, step], ["--rerun"]),
      when: `${step} did not happen, or does no harm twice: it is run again, under the same idempotency key`,
    },
    {
      command: line("resolve", [id, step], ["--error", "it did not happen", "--no-happened"]),
      when: `${step} did not happen, and must not any more: it fails`,
    },
  ];
}

function byHand(id: string, step: string, line: Line): Remedy {
  return {
    command: line("resolve", [id, step], RESULT),
    when: `${step} was done by hand: the JSON is what it answers`,
  };
}

function undoneAgain(id: string, step: string, line: Line): Remedy {
  return {
    command: line("resolve", [id, step], ["--rerun"]),
    when: "the cause is mended: the compensation is tried again, under a new idempotency key if its refusal was final",
  };
}

function undoneByHand(id: string, step: string, line: Line): Remedy {
  return { command: line("skip", [id, step]), when: `${step} was undone by hand, or is to stay as it is` };
}

function unservedRemedies({ run, capable }: RunDetails, line: Line): Remedy[] {
  if (capable > 0) return [];
  return [
    {
      command: line("worker", [], MODULE),
      when: `a module of yours has ${run.workflow} in version ${run.version} (deploying it is better)`,
    },
    {
      command: line("move", [run.id], MODULE),
      when: "a module of yours has another version that fits it, and workers have that",
    },
  ];
}

function waitRemedies({ run, retries }: RunDetails, line: Line): readonly Remedy[] {
  const { id, waits } = run;
  const signals = waits.filter(({ kind }) => kind === "signal").slice(0, SHOWN_MAX);
  const failing = retries.filter(({ failures }) => failures > 0).slice(0, SHOWN_MAX);
  return [
    ...signals.map(({ key }) => ({
      command: line("signal", [id, signalName(key), "<json>"]),
      when: `${key} came, and was not passed on`,
    })),
    ...failing.flatMap(({ key }) => {
      const step = key.replace(UNDO, "");
      return [
        {
          command: line("resolve", [id, step], ["--rerun"]),
          when: "the cause is mended: it is tried now, and not only when its next attempt is due",
        },
        UNDO.test(key) ? undoneByHand(id, step, line) : byHand(id, step, line),
      ];
    }),
  ];
}

/** The second wait for a name is `name#2`. */
function signalName(key: string): string {
  return key.replace(/#\d+$/, "");
}
