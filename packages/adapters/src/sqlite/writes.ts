import type { Database } from "better-sqlite3";
import type { LeaveWrite, Outcome, PauseWorkflowWrite, Write } from "@everstep/core";
import { AdvanceWrites } from "./advance-writes.ts";
import { Catalog } from "./catalog.ts";
import { EventWrites } from "./event-writes.ts";
import { ImportWrites } from "./import-writes.ts";
import { JournalWrites } from "./journal-writes.ts";
import { MendWrites } from "./mend-writes.ts";
import { MessageWrites } from "./message-writes.ts";
import { OperateWrites, Subjects } from "./operate-writes.ts";
import { Origins } from "./origins.ts";
import { Outbox } from "./outbox.ts";
import { PurgeWrites } from "./purge-writes.ts";
import { PurgedIds } from "./purged-ids.ts";
import { RetryWrites } from "./retry-writes.ts";
import { DONE, type Scope } from "./scope.ts";
import { SendWrites } from "./send-writes.ts";
import { StartWrites } from "./start-writes.ts";
import { Waiters } from "./waiters.ts";

/** What others write into a store with nothing but a connection: also in an application's own transaction. */
export class ClientWrites {
  readonly catalog: Catalog;
  readonly purged: PurgedIds;
  readonly starts: StartWrites;
  readonly messages: MessageWrites;
  readonly events: EventWrites;

  constructor(db: Database) {
    this.catalog = new Catalog(db);
    this.purged = new PurgedIds(db);
    this.starts = new StartWrites(db, this.catalog, this.purged);
    this.messages = new MessageWrites(db);
    this.events = new EventWrites(db, this.starts, this.catalog);
  }
}

/** Every kind of write of a batch, but for leaving. */
export class Writes {
  readonly catalog: Catalog;
  readonly advances: AdvanceWrites;
  readonly outbox: Outbox;
  readonly #client: ClientWrites;
  readonly #operates: OperateWrites;
  readonly #mends: MendWrites;
  readonly #purges: PurgeWrites;
  readonly #imports: ImportWrites;

  constructor(db: Database) {
    const client = new ClientWrites(db);
    const { starts, messages, events, purged } = client;
    const journal = new JournalWrites(db);
    const retries = new RetryWrites(db);
    const subjects = new Subjects(db);
    const waiters = new Waiters(db, messages);
    const sends = new SendWrites({ starts, messages, events, waiters });
    this.#client = client;
    this.catalog = client.catalog;
    this.outbox = new Outbox(db);
    this.advances = new AdvanceWrites(db, { journal, retries, sends, waiters, outbox: this.outbox });
    this.#operates = new OperateWrites(db, { subjects, journal, retries, messages });
    this.#mends = new MendWrites(db, { subjects, journal, retries, waiters });
    this.#purges = new PurgeWrites(db, subjects, purged);
    this.#imports = new ImportWrites(db, { journal, origins: new Origins(db), purged, retries, waiters });
  }

  apply(write: Exclude<Write, LeaveWrite>, scope: Scope): Outcome {
    switch (write.kind) {
      case "advance":
        return this.advances.apply(write, scope);
      case "start":
        return this.#client.starts.apply(write, scope);
      case "message":
        return this.#client.messages.apply(write, scope);
      case "emit":
        return this.#client.events.emit(write.event, scope);
      case "operate":
        return this.#operates.apply(write, scope);
      case "mend":
        return this.#mends.apply(write, scope);
      case "pause-workflow":
        return this.#pauseWorkflow(write, scope);
      case "purge":
        return this.#purges.apply(write, scope);
      case "import":
        return this.#imports.apply(write, scope);
      case "shipped":
        return this.outbox.ship(write);
    }
  }

  #pauseWorkflow({ workflow, note }: PauseWorkflowWrite, scope: Scope): Outcome {
    this.catalog.setPause(workflow, note, scope);
    scope.changedAll = true;
    return DONE;
  }
}
