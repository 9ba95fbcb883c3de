/** A bar while something is done to many runs, for whoever watches. */
import type { Writable } from "node:stream";
import type { Io } from "../io.ts";

export interface Progress {
  readonly at: (count: number) => void;
  readonly end: () => void;
}

/** Less than this is over before anybody has read of it. */
const WORTH_IT = 100;
const NONE: Progress = { at: () => {}, end: () => {} };

export async function progressOf(
  { stderr, env }: Io,
  { what, count, isQuiet }: { readonly what: string; readonly count: number; readonly isQuiet: boolean },
): Promise<Progress> {
  if (isQuiet || stderr.isTTY !== true || env["TERM"] === "dumb" || count < WORTH_IT) return NONE;
  const { progress } = await import("@clack/prompts");
  const bar = progress({ max: count, output: stderr as unknown as Writable });
  let shown = 0;
  bar.start(`${what}: 0 of ${count}`);
  return {
    at: (now) => {
      bar.advance(now - shown, `${what}: ${now} of ${count}`);
      shown = now;
    },
    end: () => bar.stop(`${what}: ${shown} of ${count}`),
  };
}
