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
  const lines = [`${what[0]?.toUpperCase() ?? ""}${what.slice(1)}?`, ...details];
  const message = safeText(lines.join("\n"));
  if (io.env["TERM"] === "dumb") return askPlainly(message, io);
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({
    message,
    initialValue: false,
    input: io.stdin,
    output: io.stderr as unknown as Writable,
  });
  return !isCancel(answer) && answer;
}

/** Where nothing can be drawn: a line and an answer. Ctrl-C is no answer. */
async function askPlainly(message: string, { stdin, stderr }: Io): Promise<boolean> {
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: stdin, output: stderr as unknown as Writable });
  const answer = await new Promise<string>((resolve) => {
    lines.once("close", () => resolve(""));
    lines.question(`${message}\n(y/N) `, resolve);
  });
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** A pipe that brought ids has no more to say. */
export function canAsk({ stdin, stderr }: Io): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}
