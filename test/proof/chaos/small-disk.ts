import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Disaster } from "./arena.ts";

/** A disk of its own that is small enough to be filled: a tmpfs, which only root can have, and only Linux has. */
export interface SmallDisk {
  readonly folder: string;
  /** It is full for a moment. */
  readonly disaster: Disaster;
  close(): void;
}

export const FULL_DISKS = "full disks";

const CHUNK = Buffer.alloc(1 << 20, "ballast");
/** What is left where a whole chunk does not fit any more. */
const CRUMB = Buffer.alloc(1 << 12, "ballast");
const FULL_MIN_MS = 200;
const FULL_MAX_MS = 1_500;

/** Undefined where it can't be had, which is said aloud. */
export function smallDisk(megabytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), "everstep-disk-"));
  const options = `size=${megabytes}m,mode=0777`;
  const { status, error, stderr } = run("mount", "-t", "tmpfs", "-o", options, "everstep", folder);
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    console.log(`skipped: a full disk, for there is no tmpfs to be had (${error?.message ?? stderr.trim()})`);
    return undefined;
  }
  const unmount = (): void => void run("umount", "--lazy", folder);
  process.once("exit", unmount);
  return {
    folder,
    disaster: {
      name: FULL_DISKS,
      strike: (random) => fillFor(folder, random.between(FULL_MIN_MS, FULL_MAX_MS)),
    },
    close: () => {
      process.off("exit", unmount);
      unmount();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function run(command: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: "utf8" });
}

async function fillFor(folder: string, ms: number): Promise<boolean> {
  const file = join(folder, "ballast");
  const ballast = await open(file, "w");
  try {
    await fill(ballast, CHUNK);
    await fill(ballast, CRUMB);
    await delay(ms);
    return true;
  } finally {
    await ballast.close();
    await rm(file);
  }
}

async function fill(ballast: FileHandle, bytes: Buffer): Promise<void> {
  try {
    for (;;) if ((await ballast.write(bytes)).bytesWritten < bytes.length) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
