/** Asks before much, or what can't be taken back, is done. Where nobody can be asked, only `--yes` is an answer. */
import type { Writable } from "node:stream";
import { usageError } from "../failure.ts";
import type { Io } from "../io.ts";
import { safeText } from "../safe-text.ts";

export interface Question {
  /** `cancel 12 runs`, of which it asks whether it is meant. */
  readonly what: string;
  /** What a person should know of it, a line each. */
  readonly details: readonly string[];
}

export async function isMeant(
  { what, details }: Question,
  { io, yes }: { readonly io: Io; readonly yes: boolean },
): Promise<boolean> {
  if (yes) return true;
  if (!canAsk(io))
    throw usageError(
      `this would ${safeText(what)}, and nobody can be asked here: say --yes if it is meant; --dry-run shows what would be done to which`,
    );
  const { confirm, isCancel } = await import("@clack/prompts");
  const lines = [`${what[0]?.toUpperCase() ?? ""}${what.slice(1)}?`, ...details];
  const answer = await confirm({
    message: safeText(lines.join("\n")),
    initialValue: false,
    input: io.stdin,
    output: io.stderr as unknown as Writable,
  });
  return !isCancel(answer) && answer;
}

/** A pipe that brought ids has no more to say. */
export function canAsk({ stdin, stderr }: Io): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}
