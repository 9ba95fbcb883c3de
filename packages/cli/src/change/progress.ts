/**
 * How far it is, while something is done to many runs, for whoever watches. A line of our own: the bars of the library that asks the
 * questions take the keyboard, and on Ctrl-C end the process with 0 in the middle of the work, without a word of what is left.
 */
import type { Io } from "../io.ts";

export interface Progress {
  readonly at: (count: number) => void;
  readonly end: () => void;
}

/** Less than this is over before anybody has read of it. */
const WORTH_IT = 100;
/** No eye sees more. */
const REDRAW_MS = 80;
const CELLS = 30;
/** To the line's beginning, and clear it. */
const ANEW = "\r\u001B[K";
const NONE: Progress = { at: () => {}, end: () => {} };

export function progressOf(
  { stderr, env, now }: Io,
  { what, count, isQuiet }: { readonly what: string; readonly count: number; readonly isQuiet: boolean },
): Progress {
  if (isQuiet || stderr.isTTY !== true || env["TERM"] === "dumb" || count < WORTH_IT) return NONE;
  let shown = 0;
  let drawnAt = 0;
  const draw = (): void => {
    drawnAt = now();
    const full = Math.floor((CELLS * shown) / count);
    stderr.write(`${ANEW}${"━".repeat(full)}${"─".repeat(CELLS - full)} ${what}: ${shown} of ${count}`);
  };
  draw();
  return {
    at: (done) => {
      shown = done;
      if (now() - drawnAt >= REDRAW_MS) draw();
    },
    end: () => {
      draw();
      stderr.write("\n");
    },
  };
}
