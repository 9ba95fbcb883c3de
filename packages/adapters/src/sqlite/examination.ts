import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Database } from "better-sqlite3";
import type { Finding } from "@everstep/core";
import { isFull } from "./open.ts";
import { MIGRATIONS } from "./schema.ts";
import { prepare } from "./statement.ts";

const MIB = 1024 * 1024;
/** Four times what a log is cut back to when it starts over. */
const WAL_MAX_BYTES = 256 * MIB;
const UNUSED_MAX = 0.3;
const UNUSED_MIN_BYTES = 64 * MIB;
const DISK_MIN_BYTES = 1024 * MIB;
const OUTBOX_MAX = 10_000;

/** What can be seen of the file itself, without reading much of it. */
export function examination(db: Database): readonly Finding[] {
  return [schema(), durability(db), log(db), unused(db), disk(db), outbox(db)];
}

/** It was opened, so it is one that this build knows. */
function schema(): Finding {
  return fine("schema", `version ${MIGRATIONS.length}, which is this build's`);
}

function durability(db: Database): Finding {
  const mode = db.pragma("journal_mode", { simple: true });
  if (mode === "wal" && isFull(db)) return fine("durability", "write-ahead log, synchronous=FULL");
  return {
    check: "durability",
    is: "problem",
    found: `journal_mode is ${String(mode)}, synchronous is ${String(db.pragma("synchronous", { simple: true }))}: a power cut may take commits`,
    remedy: "find the program that changed journal_mode of this file, and open the file again",
  };
}

function log(db: Database): Finding {
  const bytes = statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes <= WAL_MAX_BYTES) return fine("log", `the write-ahead log has ${mib(bytes)}`);
  return {
    check: "log",
    is: "warning",
    found: `the write-ahead log has ${mib(bytes)}: somebody reads in one transaction for so long that it can't start over`,
    remedy: "find the process with a long read transaction on this file (lsof), and end it",
  };
}

function unused(db: Database): Finding {
  const pages = pragma(db, "page_count");
  const free = pragma(db, "freelist_count");
  const bytes = pages * pragma(db, "page_size");
  const found = `the file has ${mib(bytes)}, ${Math.round((100 * free) / Math.max(1, pages))} % of it unused`;
  if (free <= pages * UNUSED_MAX || bytes < UNUSED_MIN_BYTES) return fine("size", found);
  return {
    check: "size",
    is: "warning",
    found,
    remedy: "it is used again as runs come; to give it back, stop the workers and run VACUUM",
  };
}

function disk(db: Database): Finding {
  const { bavail, bsize } = statfsSync(dirname(db.name));
  const found = `${mib(bavail * bsize)} free`;
  if (bavail * bsize >= DISK_MIN_BYTES) return fine("disk", found);
  return { check: "disk", is: "warning", found, remedy: "make room: a full disk stops all workers" };
}

/** Events for the world outside that were not shipped. */
function outbox(db: Database): Finding {
  const rows = prepare<[number], number>(db, "SELECT count(*) FROM (SELECT 1 FROM everstep_outbox LIMIT ?)")
    .pluck()
    .get(OUTBOX_MAX);
  const count = rows ?? 0;
  if (count < OUTBOX_MAX) return fine("outbox", `${count} events to be shipped`);
  return {
    check: "outbox",
    is: "warning",
    found: `${count} events or more were not shipped`,
    remedy: "give a live worker the option `outbox`, and look at what its `ship` throws",
  };
}

function fine(check: string, found: string): Finding {
  return { check, is: "fine", found, remedy: null };
}

function pragma(db: Database, name: string): number {
  return Number(db.pragma(name, { simple: true }));
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)} MiB`;
}
