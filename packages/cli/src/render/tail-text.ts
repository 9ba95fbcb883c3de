import { durationText } from "../human.ts";
import { oneLine } from "../safe-text.ts";
import type { TailDocument } from "../tailing.ts";
import { errorText } from "./error-text.ts";
import { type Screen, statusColour } from "./screen.ts";
import { keyText, outcomeText } from "./timeline.ts";

const TIME_LENGTH = "2026-11-26T09:00:00.000Z".length;

export function tailText(document: TailDocument, { paint }: Screen): string {
  const { run } = document;
  if (document.type === "status") {
    const { status, at, error } = document;
    const why = error === null ? "" : ` ${errorText(error)}`;
    return line(at, run, paint(statusColour(status), status) + why, paint);
  }
  const { entry } = document;
  const { kind, at, tookMs, error } = entry;
  const outcome = outcomeText(entry);
  const text = [
    kind,
    keyText(entry),
    `(${durationText(tookMs)})`,
    outcome === "" ? "" : paint(error === null ? undefined : "red", outcome),
  ];
  return line(at, run, text.filter((part) => part !== "").join(" "), paint);
}

function line(at: string, run: string, text: string, paint: Screen["paint"]): string {
  return `${paint("gray", at.padEnd(TIME_LENGTH))}  ${paint("bold", oneLine(run))}  ${oneLine(text)}\n`;
}
