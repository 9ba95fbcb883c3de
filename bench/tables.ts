import { median } from "./measure.ts";
import type { Round } from "./rounds.ts";
import type { DatabaseName } from "./database.ts";
import type { Aim, Metric, Workload } from "./workload.ts";

/** One workload's rounds as a Markdown table: min, median, max, and what the median was to be. */
export function tableOf(
  { name, about, metrics }: Workload,
  rounds: readonly Round[],
  database: DatabaseName,
): string {
  const failures = rounds.flatMap(({ round, failure }) =>
    failure === undefined ? [] : [`Round ${round} failed: ${failure}`],
  );
  const lines = metrics.flatMap((metric) => lineOf(metric, rounds, database));
  return [
    `### ${name}: ${about}`,
    "",
    "| | min | median | max | target |",
    "|---|---:|---:|---:|---|",
    ...lines,
    ...failures,
  ].join("\n");
}

/** None of what this database has no figure of. */
function lineOf(metric: Metric, rounds: readonly Round[], database: DatabaseName): string[] {
  const { key, label, unit } = metric;
  const values = rounds
    .flatMap(({ figures }) => figures[key] ?? [])
    .filter((value) => !Number.isNaN(value))
    .toSorted((a, b) => a - b);
  const title = unit === "" ? label : `${label}, ${unit}`;
  if (values.length === 0) return [];
  const [min = Number.NaN] = values;
  const middle = median(values);
  const cells = [format(min), `**${format(middle)}**`, format(values.at(-1) ?? min)];
  return [`| ${title} | ${cells.join(" | ")} | ${targetOf(metric, middle, database)} |`];
}

function targetOf(metric: Metric, value: number, database: DatabaseName): string {
  const [atMost, atLeast] = [aimOn(database, metric.atMost), aimOn(database, metric.atLeast)];
  if (atMost !== undefined) return `≤ ${format(atMost)}${value <= atMost ? "" : " **missed**"}`;
  if (atLeast !== undefined) return `≥ ${format(atLeast)}${value >= atLeast ? "" : " **missed**"}`;
  return "";
}

function aimOn(database: DatabaseName, aim?: Aim): number | undefined {
  return typeof aim === "object" ? aim[database] : aim;
}

export function format(value: number): string {
  if (Number.isInteger(value) || value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
