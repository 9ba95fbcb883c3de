import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arena } from "./arena.ts";

/** Two workers on one file. */
export function sqliteArena(): Arena {
  const folder = mkdtempSync(join(tmpdir(), "everstep-kill-"));
  const place = { file: join(folder, "shop.db") };
  return {
    place,
    workerPlaces: [place, place],
    leaseMs: undefined,
    acts: ["kill"],
    disasters: [],
    callers: 6,
    openMax: 40,
    readSessions: async () => [],
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
