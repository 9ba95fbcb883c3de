import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arena } from "./arena.ts";
import { smallDisk } from "./small-disk.ts";

const DISK_MEGABYTES = 64;

/**
 * Two workers on one file. A thousand kills come with about 10 MB of journals: a longer campaign needs a larger disk, which is filled
 * all the same.
 */
export function sqliteArena({ diskMegabytes = DISK_MEGABYTES } = {}): Arena {
  const disk = smallDisk(diskMegabytes);
  const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), "everstep-kill-"));
  const place = { file: join(folder, "shop.db") };
  return {
    place,
    workerPlaces: [place, place],
    leaseMs: undefined,
    acts: ["kill"],
    disasters: disk === undefined ? [] : [disk.disaster],
    callers: 6,
    openMax: 60,
    readSessions: async () => [],
    close: async () => {
      disk?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
