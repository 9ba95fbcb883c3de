import { statSync } from "node:fs";

/**
 * Until the write-ahead log does not grow any more. While the log's file grows, which it does up to its first checkpoint only, a
 * commit costs about three times as much: the file's new size is made durable too.
 */
export async function untilLogIsSteady(file: string, act: () => Promise<unknown>): Promise<void> {
  for (let before = -1, now = 0; before !== now; ) {
    before = now;
    await act();
    now = statSync(`${file}-wal`).size;
  }
}
