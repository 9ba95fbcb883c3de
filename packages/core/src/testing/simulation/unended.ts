/** What is still open when everything should have ended, and what it may be that holds it up. */
import type { Client } from "../../runtime/client.ts";
import type { MemoryTx } from "../memory/transaction.ts";
import type { RunAudit } from "./audit.ts";
import type { PendingCalls } from "./pending-calls.ts";

export interface Unended {
  readonly runs: Iterable<RunAudit>;
  readonly client: Client<MemoryTx>;
  readonly calls: PendingCalls;
  readonly patienceMs: number;
}

export async function unended({ runs, client, calls, patienceMs }: Unended): Promise<string> {
  const open = [...runs].filter(({ end }) => end === null);
  const who =
    open.length === 0
      ? "what drives the simulation has not settled"
      : `these runs have not ended: ${(await Promise.all(open.map((run) => holdUp(client, run)))).join(", ")}`;
  const underWay = calls.underWay.map(
    (name) => `; ${name} is still under way, and virtual time waits for it no longer`,
  );
  return `L1: nothing has been journaled for ${patienceMs} ms after the last fault, and ${who}${underWay.join("")}`;
}

async function holdUp(client: Client<MemoryTx>, { id, waits }: RunAudit): Promise<string> {
  const { retries, status, workflow, version } = await client.runs.read(id);
  const isExecuted = waits.length + retries.length === 0;
  const by =
    status === "ready"
      ? `no worker has claimed it: is ${workflow} version ${version} among the \`workflows\`?`
      : "it is executed: a body, or a handler that waits for something other than ctx";
  return [
    id,
    isExecuted ? ` (${by})` : "",
    ...waits.map(({ kind, key }) => ` (it waits for ${kind} ${key})`),
    ...retries.map(({ step, failures, error }) =>
      error === undefined
        ? ""
        : ` (${step} failed ${failures} times, last with ${error.name}: ${error.message})`,
    ),
  ].join("");
}
