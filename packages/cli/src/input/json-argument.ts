/** JSON that a person gives: as it stands, as `@file`, or as `-` for standard input. */
import { usageError } from "../failure.ts";
import { type Place, readConfined } from "./confined-path.ts";

export interface JsonSources extends Place {
  readonly readStdin: () => Promise<string>;
}

/** `what` names it in messages, such as "the payload". */
export async function jsonArgument(text: string, what: string, sources: JsonSources): Promise<unknown> {
  if (text === "-") return parsed(await sources.readStdin(), `${what}, from standard input, is no JSON`);
  if (!text.startsWith("@")) return parsed(text, `${what} is no JSON: ${beginningOf(text)}`);
  const path = text.slice(1);
  return parsed(await readConfined(path, sources), `${what}, in ${JSON.stringify(path)}, is no JSON`);
}

const SHOWN_MAX = 60;

/** Only of what was typed: a file may hold what nobody should see. */
function beginningOf(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}

function parsed(text: string, complaint: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(
      `${complaint}. A text needs its own quotes, as in '"ok"'; @file reads a file, - reads standard input`,
    );
  }
}
