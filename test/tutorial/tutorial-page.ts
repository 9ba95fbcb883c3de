// What a page tells its reader to do, in order. Comments above its fences say how each of them is meant.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SourceFile } from "../source-file.ts";

/** The terminal in which the reader types what needs no terminal of its own. */
export const TYPING = "typing";

/**
 * | above the fence           | the reader                                                        |
 * |---------------------------|-------------------------------------------------------------------|
 * | `<!-- file: order.ts -->` | writes this file                                                  |
 * | `<!-- edit: order.ts -->` | changes lines of it, as the diff says                             |
 * | `<!-- run -->`            | types these lines, and waits for their end                        |
 * | `<!-- run: fails -->`     | the same; the last one fails                                      |
 * | `<!-- run: again -->`     | types them until they show what the next fence shows              |
 * | `<!-- run in: bank -->`   | types them in that terminal, and leaves them there. Ctrl-C ended what ran there before |
 * | `<!-- shows -->`          | sees this and nothing else                                        |
 * | `<!-- shows: bank -->`    | sees this in that terminal, after what he saw there before        |
 */
export type Action = { readonly at: string } & (
  | { readonly is: "file" | "edit"; readonly path: string; readonly text: string }
  | {
      readonly is: "run";
      readonly terminal: string;
      readonly how: "ends" | "fails" | "again" | "stays";
      readonly text: string;
    }
  | { readonly is: "shows"; readonly terminal: string; readonly text: string }
);

const FENCED = /(?:^<!-- (?<remark>[^\n]*) -->\n)?^```\w+\n(?<text>.*?)^```$/gms;
const REMARK = /^(?<is>file|edit|run in|run|shows)(?:: (?<what>[\w.-]+))?$/;

export function actionsOf({ path, text }: SourceFile): Action[] {
  const actions: Action[] = [];
  let from = 0;
  for (const { index, groups, 0: fence } of text.matchAll(FENCED)) {
    const at = `${path}:${text.slice(0, index).split("\n").length}`;
    const remark = REMARK.exec(groups?.["remark"] ?? "")?.groups;
    if (remark === undefined) throw new Error(`${at}: what is to be done with this fence?`);
    const action = actionOf(at, {
      is: remark["is"] ?? "",
      what: remark["what"],
      text: groups?.["text"] ?? "",
    });
    if (isOfUnnamedFile(action, { before: actions.at(-1), prose: text.slice(from, index) }))
      throw new Error(`${at}: nothing that is visible says which file this is`);
    actions.push(action);
    from = index + fence.length;
  }
  return actions;
}

/** The remark can't be seen by who reads the page. */
function isOfUnnamedFile(
  action: Action,
  { before, prose }: { readonly before: Action | undefined; readonly prose: string },
): boolean {
  if (action.is !== "file" && action.is !== "edit") return false;
  const goesOn = before?.is === "edit" && before.path === action.path;
  return !goesOn && !prose.includes(`\`${action.path}\``);
}

function actionOf(
  at: string,
  { is, what, text }: { readonly is: string; readonly what: string | undefined; readonly text: string },
): Action {
  if (is === "shows") return { at, is, terminal: what ?? TYPING, text };
  if (is === "run" && (what === undefined || what === "fails" || what === "again"))
    return { at, is, terminal: TYPING, how: what ?? "ends", text };
  if (is === "run in" && what !== undefined) return { at, is: "run", terminal: what, how: "stays", text };
  if ((is === "file" || is === "edit") && what !== undefined) return { at, is, path: what, text };
  throw new Error(`${at}: this remark makes no sense`);
}

/** Finds the lines that the diff keeps or removes, which have to be there once, and puts those that it keeps or adds in their place. */
export function edited(text: string, diff: string): string {
  const lines = diff.split("\n").slice(0, -1);
  const side = (other: string): string =>
    lines
      .filter((line) => !line.startsWith(other))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const [before, ...others] = text.split(side("+"));
  if (before === undefined || others.length !== 1)
    throw new Error(`these lines are there ${others.length} times:\n${side("+")}`);
  return before + side("-") + others.join("");
}

export function editFile(folder: string, path: string, diff: string): void {
  const file = join(folder, path);
  writeFileSync(file, edited(readFileSync(file, "utf8"), diff));
}
