/** Options that say which runs are meant: those of `list`, and of all that is done to several runs. */
import type { RunFilter, RunStatus } from "@everstep/core";
import { type Command, InvalidArgumentError } from "commander";
import { usageError } from "./failure.ts";
import { parseDuration, parseInstant } from "./human.ts";

export interface SelectionOptions {
  readonly status?: readonly RunStatus[];
  readonly workflow?: string;
  /** `--run-version`: `--version` is that of the command. */
  readonly runVersion?: string;
  readonly tag?: readonly string[];
  readonly parent?: string;
  readonly paused?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly olderThan?: string;
  readonly step?: string;
  readonly failedWith?: string;
}

const STATUSES: readonly RunStatus[] = [
  ...(["ready", "running", "waiting", "compensating", "stuck", "completed", "failed", "canceled"] as const),
];

const AT_STEP = "runs that are at this step: it fails, is waited for, or made them stuck or fail";

/** Headings in the help. */
export const WHICH = "Which runs:";
export const OTHERS = "Options:";

/** `step`: what `--step` says, where it says more than which runs. */
export function addSelection(command: Command, step: string = AT_STEP): Command {
  return command
    .optionsGroup(WHICH)
    .option("--status <status,…>", `runs in one of these: ${STATUSES.join(", ")}`, collectStatuses)
    .option("--workflow <name>", "runs of this workflow")
    .option("--run-version <version>", "runs of this version of their workflow")
    .option("--tag <name=value>", "runs that have this tag; can be given several times", collect)
    .option("--parent <run>", "runs that this run started")
    .option("--paused", "runs that are paused")
    .option("--since <when>", "runs created at or after: an instant, or a duration before now")
    .option("--until <when>", "runs created before")
    .option("--older-than <duration>", "runs created longer ago")
    .option("--step <key>", step)
    .option(
      "--failed-with <text>",
      "runs whose last error, or reason to be stuck, has this text in it, in any case",
    )
    .optionsGroup(OTHERS);
}

/** An option that is given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function collectStatuses(text: string, before: readonly RunStatus[] = []): readonly RunStatus[] {
  const statuses = text.split(",").map((word) => {
    const status = STATUSES.find((one) => one === word.trim());
    if (status === undefined) throw new InvalidArgumentError(`There is ${STATUSES.join(", ")}.`);
    return status;
  });
  return [...before, ...statuses];
}

/** What of it the store can tell. `--step` and `--failed-with` are for `matching`: values may be sealed, so the store can't read them. */
export function filterOf(options: SelectionOptions, now: number): RunFilter {
  const { status, workflow, runVersion, parent, paused, since, until, olderThan } = options;
  if (until !== undefined && olderThan !== undefined)
    throw usageError("--until and --older-than say the same: give one of them");
  const before =
    olderThan === undefined
      ? until === undefined
        ? undefined
        : parseInstant(until, "--until", now)
      : Math.max(0, now - parseDuration(olderThan, "--older-than"));
  return {
    ...(status === undefined ? {} : { status }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(runVersion === undefined ? {} : { version: runVersion }),
    ...(parent === undefined ? {} : { parent }),
    ...(paused === undefined ? {} : { paused }),
    ...(options.tag === undefined ? {} : { tag: tagsOf(options.tag) }),
    ...(since === undefined ? {} : { since: parseInstant(since, "--since", now) }),
    ...(before === undefined ? {} : { until: before }),
  };
}

export function tagsOf(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw usageError(`--tag is name=value, not ${JSON.stringify(pair)}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
