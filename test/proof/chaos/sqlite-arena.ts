import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Act, Arena } from "./arena.ts";
import { smallDisk } from "./small-disk.ts";

/** Short, so that frozen workers are taken over within the test. */
const LEASE_MS = 2_000;
const DISK_MEGABYTES = 64;

/**
 * Two workers on one file. A thousand kills come with about 40 MB of journals and log: a longer campaign needs a larger disk, which is filled
 * all the same.
 */
export function sqliteArena({ diskMegabytes = DISK_MEGABYTES } = {}): Arena {
  const disk = smallDisk(diskMegabytes);
  const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), "everstep-kill-"));
  const place = { file: join(folder, "shop.db") };
  return {
    place,
    workerPlaces: [place, place],
    leaseMs: LEASE_MS,
    acts: [...Array<Act>(8).fill("kill"), "freeze", "drain"],
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
