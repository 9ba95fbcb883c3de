import type { StatsDocument } from "../commands/stats.ts";
import { durationText } from "../human.ts";
import { type Screen, statusColour } from "./screen.ts";
import { table } from "./table.ts";

export function statsText(stats: StatsDocument, screen: Screen): string {
  const window = durationText(stats.windowMs);
  const live = stats.live.length === 0 ? "no run is under way\n" : liveTable(stats, screen);
  const ended = stats.ended.length === 0 ? `none ended in the last ${window}\n` : endedTable(stats, screen);
  return `${live}\n${screen.isTerminal && stats.ended.length > 0 ? screen.paint("gray", `ended in the last ${window}\n`) : ""}${ended}`;
}

function liveTable({ live, at }: StatsDocument, screen: Screen): string {
  const now = Date.parse(at);
  return table(
    [
      { title: "WORKFLOW", of: ({ workflow, version }) => `${workflow}@${version}`, flexible: true },
      { title: "STATUS", of: ({ status }) => status, colour: ({ status }) => statusColour(status) },
      { title: "RUNS", of: ({ runs }) => String(runs), align: "right" },
      { title: "PAUSED", of: ({ paused }) => (paused === 0 ? "" : String(paused)), align: "right" },
      { title: "OLDEST", of: ({ oldestAt }) => durationText(now - Date.parse(oldestAt)), align: "right" },
      { title: "OVERDUE", of: (row) => overdueText(row, now), align: "right" },
    ],
    live,
    screen,
  );
}

/** For how long the first of them could have been taken on. */
function overdueText({ status, firstDueAt }: StatsDocument["live"][number], now: number): string {
  return status !== "ready" || firstDueAt === null ? "" : durationText(now - Date.parse(firstDueAt));
}

function endedTable({ ended }: StatsDocument, screen: Screen): string {
  return table(
    [
      { title: "WORKFLOW", of: ({ workflow }) => workflow, flexible: true },
      { title: "ENDED", of: ({ status }) => status, colour: ({ status }) => statusColour(status) },
      { title: "RUNS", of: ({ runs }) => String(runs), align: "right" },
      { title: "PER MIN", of: ({ perMinute }) => String(perMinute), align: "right" },
      { title: "MEDIAN", of: ({ medianMs }) => durationText(medianMs), align: "right" },
      { title: "P95", of: ({ p95Ms }) => durationText(p95Ms), align: "right" },
      { title: "MAX", of: ({ maxMs }) => durationText(maxMs), align: "right" },
    ],
    ended,
    screen,
  );
}
