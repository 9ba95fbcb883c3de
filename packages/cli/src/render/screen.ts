/** What text is rendered for: a terminal of some width, with or without colours, or a file or pipe. */
import { styleText } from "node:util";
import type { Io, Sink } from "../io.ts";

export type Colour = "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "gray" | "bold";

export interface Screen {
  readonly isTerminal: boolean;
  readonly width: number;
  readonly now: number;
  readonly paint: (colour: Colour | undefined, text: string) => string;
}

const WIDTH = 80;

export function screenOf({ stdout, env, now }: Io, { color = true }: { readonly color?: boolean }): Screen {
  const isTerminal = stdout.isTTY === true;
  const hasColours = color && wantsColours(stdout, env);
  return {
    isTerminal,
    // A new pseudo-terminal has none.
    width: stdout.columns === undefined || stdout.columns === 0 ? WIDTH : stdout.columns,
    now: now(),
    paint: (colour, text) =>
      hasColours && colour !== undefined && text !== ""
        ? styleText(colour, text, { validateStream: false })
        : text,
  };
}

/** https://no-color.org and https://force-color.org. */
function wantsColours(stdout: Sink, env: Io["env"]): boolean {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  if ((env["FORCE_COLOR"] ?? "0") !== "0") return true;
  return stdout.isTTY === true && env["TERM"] !== "dumb";
}

const STATUS_COLOURS: Readonly<Record<string, Colour>> = {
  ready: "cyan",
  running: "blue",
  waiting: "gray",
  compensating: "magenta",
  stuck: "red",
  completed: "green",
  failed: "red",
  canceled: "yellow",
};

export function statusColour(status: string): Colour | undefined {
  return STATUS_COLOURS[status];
}
