import type { RunRecord, RunStatus } from "../store.ts";

/** The status that people see, derived from what is stored. `now` is the store's. */
export function statusOf(
  run: Pick<RunRecord, "phase" | "end" | "owner" | "dueAt" | "stuck">,
  now: number,
): RunStatus {
  if (run.end !== null) return run.end;
  if (run.stuck !== null) return "stuck";
  if (run.phase !== "forward") return "compensating";
  if (run.owner !== null) return "running";
  return run.dueAt !== null && run.dueAt <= now ? "ready" : "waiting";
}
