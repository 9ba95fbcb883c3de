import type { RunDocument } from "../documents.ts";
import { ageText, durationText } from "../human.ts";
import { reasonText } from "./error-text.ts";
import { statusColour, type Screen } from "./screen.ts";
import { type Column, table } from "./table.ts";

export function runTable(runs: readonly RunDocument[], screen: Screen): string {
  return table(columns(screen), runs, screen);
}

function columns({ now, isTerminal }: Screen): readonly Column<RunDocument>[] {
  return [
    { title: "RUN", of: ({ id }) => id, flexible: true },
    { title: "WORKFLOW", of: ({ workflow, version }) => `${workflow}@${version}`, flexible: true },
    { title: "STATUS", of: statusText, colour: ({ status }) => statusColour(status) },
    { title: "CREATED", of: ({ createdAt }) => (isTerminal ? ageText(createdAt, now) : createdAt) },
    { title: "TOOK", of: (run) => tookText(run, now), align: "right" },
    { title: "AT", of: whereText, flexible: true },
  ];
}

function statusText({ status, paused }: RunDocument): string {
  return paused === null ? status : `${status} paused`;
}

function tookText({ startedAt, endedAt }: RunDocument, now: number): string {
  if (startedAt === null) return "";
  return durationText((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}

/** What it is stuck at, ended with, or waits for. */
function whereText({ id, stuck, error, waits }: RunDocument): string {
  if (stuck !== null) return `${stuck.code}: ${withoutRun(id, stuck.message)}`;
  if (error !== null) return withoutRun(id, reasonText(error));
  return waits.map(({ kind, key }) => `${kind} ${key}`).join(", ");
}

/** everstep's messages begin with their run, which has a column of its own. */
function withoutRun(id: string, message: string): string {
  const about = `run ${id}`;
  return message.startsWith(about) ? message.slice(about.length).replace(/^:? /, "") : message;
}
