import { spawnSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

/** What a figure means nothing without. */
export interface Machine {
  readonly at: string;
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly folder: string;
  readonly fileSystem: string;
}

/** Magic numbers of statfs. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x2fc12fc1: "zfs",
  0x1a: "apfs",
  0x794c7630: "overlayfs",
};
const TMPFS = 0x01021994;

export function describeMachine(folder: string): Machine {
  const { type } = statfsSync(folder);
  if (type === TMPFS) {
    throw new Error(
      `${folder} is in memory, where nothing is durable: give a folder on a disk, --folder /var/tmp`,
    );
  }
  return {
    at: new Date().toISOString(),
    commit: commitNow(),
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    folder,
    fileSystem: FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`,
  };
}

function commitNow(): string {
  const git = (...args: string[]): string =>
    spawnSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).stdout.trim();
  const changed = git("status", "--porcelain", "--untracked-files=no", "..") === "" ? "" : " and changes";
  return git("rev-parse", "--short", "HEAD") + changed;
}
