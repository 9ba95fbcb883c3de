import { type BigIntStats, statSync } from "node:fs";
import { StoreError } from "@everstep/core";

/** How often a busy store looks; each lease's renewal looks as well. */
const LOOK_EVERY_MS = 1_000;

/**
 * Notices that the file was removed or replaced under an open connection: SQLite would go on in a file that has no name, and
 * all of it would be lost with the process (F29). The file is never opened for this: closing any descriptor of it would drop
 * SQLite's locks (POSIX).
 */
export class FileIdentity {
  readonly #file: string;
  readonly #database: string;
  #wal: string | undefined;
  #lookedAt = -Infinity;
  #gone: StoreError | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#database = identityOf(file) ?? "";
  }

  /** Throws when the file is not the one that was opened. Free but for one look a second. */
  assertSame(): void {
    if (performance.now() - this.#lookedAt >= LOOK_EVERY_MS) this.look();
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** Looks now. */
  look(): void {
    this.#lookedAt = performance.now();
    const wal = `${this.#file}-wal`;
    this.#wal ??= identityOf(wal);
    if (identityOf(this.#file) !== this.#database) this.#gone ??= replaced(this.#file);
    else if (this.#wal !== undefined && identityOf(wal) !== this.#wal) this.#gone ??= replaced(wal);
  }

  isSameAs(file: string): boolean {
    return identityOf(file) === this.#database;
  }
}

/** Device and inode; undefined when there is no such file. */
function identityOf(file: string): string | undefined {
  const stats: BigIntStats | undefined = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

function replaced(file: string): StoreError {
  return new StoreError(
    `${file} was removed or replaced while this process had it open; what would be written now would be lost, so nothing is: ` +
      `put the file back if you can, and restart every process that uses it`,
  );
}
