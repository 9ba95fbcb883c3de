/**
 * Files that a command reads or writes by a name it was given. A name may come from a script, from data: it leads nowhere but into the
 * working directory and through no symbolic link, unless a person says `--force-path` (S2).
 */
import { constants, lstatSync } from "node:fs";
import { open } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { type CommandError, usageError } from "../failure.ts";

export interface Place {
  readonly cwd: string;
  /** Anywhere, and through links. */
  readonly forced?: boolean | undefined;
}

/** Throws a usage error when it leads elsewhere. */
export function confinedPath(path: string, { cwd, forced = false }: Place): string {
  if (path === "" || path.includes("\0")) throw refusal(path, "is no path");
  const full = resolve(cwd, path);
  if (forced) return full;
  const inside = relative(cwd, full);
  if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw refusal(path, `is outside of ${cwd}`);
  let at = cwd;
  for (const part of inside.split(sep)) {
    at = join(at, part);
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw refusal(path, `leads through a symbolic link, ${at}`);
  }
  return full;
}

/** The text of a file. What became a link since the path was checked is not followed. */
export async function readConfined(path: string, place: Place): Promise<string> {
  const full = confinedPath(path, place);
  const follow = place.forced === true ? 0 : constants.O_NOFOLLOW;
  return withFile(full, { flags: constants.O_RDONLY | follow, mode: 0 }, (file) => file.readFile("utf8"));
}

/** What may hold payloads is for its owner only. */
const PRIVATE = 0o600;
const PUBLIC = 0o666;

/** A new file: nothing that is there is ever written over. `isPublic`: who may read it is as usual for this user. */
export async function writeConfined(
  path: string,
  text: string,
  place: Place & { readonly isPublic?: boolean },
): Promise<string> {
  const full = confinedPath(path, place);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  await withFile(full, { flags, mode: place.isPublic === true ? PUBLIC : PRIVATE }, (file) =>
    file.writeFile(text),
  );
  return full;
}

type OpenFile = Awaited<ReturnType<typeof open>>;

async function withFile<T>(
  path: string,
  { flags, mode }: { readonly flags: number; readonly mode: number },
  use: (file: OpenFile) => Promise<T>,
): Promise<T> {
  try {
    const file = await open(path, flags, mode);
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw usageError(`${JSON.stringify(path)} ${fileTrouble(error)}`);
  }
}

const TROUBLES: Readonly<Record<string, string>> = {
  EEXIST: "is there already, and is never written over: remove it, or choose another name",
  ENOENT: "is not there, or not its directory",
  EISDIR: "is a directory",
  ENOTDIR: "is below something that is no directory",
  EACCES: "may not be opened by this user",
  ELOOP: "is a symbolic link; with --force-path it is followed",
};

function fileTrouble(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return TROUBLES[code] ?? `can't be used: ${String(error)}`;
}

function refusal(path: string, what: string): CommandError {
  return usageError(
    `${JSON.stringify(path)} ${what}. Files are read and written in the working directory only, and not through links; say --force-path if you mean it`,
  );
}
