/** What is handed in through a pipe. */
import type { Readable } from "node:stream";
import { usageError } from "../failure.ts";

const BYTES_MAX = 64 * 1024 * 1024;

export async function readAll(stdin: Readable & { readonly isTTY?: boolean }): Promise<string> {
  if (stdin.isTTY === true)
    throw usageError("- reads from a pipe, and this is a terminal: everstep list --ids | everstep … -");
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > BYTES_MAX) throw usageError(`standard input is longer than ${BYTES_MAX} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export async function readLines(stdin: Readable & { readonly isTTY?: boolean }): Promise<readonly string[]> {
  return (await readAll(stdin))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
