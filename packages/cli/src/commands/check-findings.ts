/** What is wrong with one run under the code that is to be deployed. */
import type { Client, Replay, RunSummary, Workflow } from "@everstep/core";
import { failureOf } from "../failure.ts";
import { commandLine } from "../shell-word.ts";

export interface Finding {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: string;
  /**
   * `diverges`: the code asks for something else than the journal has. `sticks`: it would be stuck for another reason. `no-code`: the module has other versions of
   * its workflow, but not this one. `unreadable`: it could not be replayed.
   */
  readonly verdict: "diverges" | "sticks" | "no-code" | "unreadable";
  /** The entry of the journal that the code does not ask for. */
  readonly at: { readonly seq: number; readonly kind: string; readonly key: string } | null;
  readonly message: string;
  readonly remedy: string;
}

/** Undefined: it would go on. */
export async function findingOf(
  client: Client,
  run: RunSummary,
  workflows: readonly Workflow[],
): Promise<Finding | "ended" | undefined> {
  const own = workflows.filter(({ name }) => name === run.workflow);
  const definition = own.find(({ version }) => version === run.version);
  try {
    if (definition === undefined) return await withoutCode(client, run, own);
    return replayed(run, await client.runs.replay(run.id, definition));
  } catch (error) {
    const { code, message } = failureOf(error).error;
    if (code === "RUN_NOT_FOUND") return "ended";
    if (code === "STORE" || code === "STORE_UNAVAILABLE") throw error;
    return unreadable(run, message);
  }
}

function replayed(run: RunSummary, replay: Replay): Finding | undefined {
  if (replay.is === "diverged")
    return found(run, {
      verdict: "diverges",
      at: replay.at,
      message: replay.message,
      remedy: `keep what the run has been through: under the old name (\`was\`), behind ctx.patched(), or give the new code another version and keep this one for its runs`,
    });
  if (replay.is !== "stuck") return undefined;
  if (replay.code === "UNDECODABLE") return unreadable(run, replay.message);
  const remedy =
    replay.code === "UNDO_FAILED"
      ? "keep the compensation for the runs that are under way"
      : "mend the code, and check again";
  return found(run, { verdict: "sticks", message: `${replay.code}: ${replay.message}`, remedy });
}

function unreadable(run: RunSummary, message: string): Finding {
  return found(run, { verdict: "unreadable", message, remedy: "check the codec and its keys (--codec)" });
}

/** Would another version of the module do? */
async function withoutCode(client: Client, run: RunSummary, own: readonly Workflow[]): Promise<Finding> {
  const fits: string[] = [];
  for (const definition of own)
    if (replayed(run, await client.runs.replay(run.id, definition)) === undefined)
      fits.push(definition.version);
  const [fit] = fits;
  const keep = `keep version ${run.version} in the module until its runs have ended`;
  return found(run, {
    verdict: "no-code",
    message: `the module has workflow ${run.workflow} in version ${own.map(({ version }) => version).join(", ")} only: no worker would take this run on`,
    remedy:
      fit === undefined
        ? keep
        : `${keep}; or, since its journal fits version ${fit}, move it: ${commandLine("move", [run.id], ["--to", fit, "--workflows", "<module>"])}`,
  });
}

function found(
  { id, workflow, version, status }: RunSummary,
  what: Pick<Finding, "verdict" | "message" | "remedy"> & Partial<Pick<Finding, "at">>,
): Finding {
  return { id, workflow, version, status, at: null, ...what };
}
