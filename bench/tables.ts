import { median } from "./measure.ts";
import type { Round } from "./rounds.ts";
import type { Metric, Workload } from "./workload.ts";

/** One workload's rounds as a Markdown table: min, median, max, and what the median was to be. */
export function tableOf({ name, about, metrics }: Workload, rounds: readonly Round[]): string {
  const failures = rounds.flatMap(({ round, failure }) =>
    failure === undefined ? [] : [`Round ${round} failed: ${failure}`],
  );
  const lines = metrics.map((metric) => lineOf(metric, rounds));
  return [
    `### ${name}: ${about}`,
    "",
    "| | min | median | max | target |",
    "|---|---:|---:|---:|---|",
    ...lines,
    ...failures,
  ].join("\n");
}

function lineOf(metric: Metric, rounds: readonly Round[]): string {
  const { key, label, unit } = metric;
  const values = rounds
    .flatMap(({ figures }) => figures[key] ?? [])
    .filter((value) => !Number.isNaN(value))
    .toSorted((a, b) => a - b);
  const title = unit === "" ? label : `${label}, ${unit}`;
  if (values.length === 0) return `| ${title} | – | – | – | |`;
  const [min = Number.NaN] = values;
  const middle = median(values);
  const cells = [format(min), `**${format(middle)}**`, format(values.at(-1) ?? min)];
  return `| ${title} | ${cells.join(" | ")} | ${targetOf(metric, middle)} |`;
}

function targetOf({ atMost, atLeast }: Metric, value: number): string {
  if (atMost !== undefined) return `≤ ${format(atMost)}${value <= atMost ? "" : " **missed**"}`;
  if (atLeast !== undefined) return `≥ ${format(atLeast)}${value >= atLeast ? "" : " **missed**"}`;
  return "";
}

export function format(value: number): string {
  if (Number.isInteger(value) || value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
