import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { StepContext } from "@everstep/core";
import { CANARY } from "./canary.ts";
import type { WorkerEvent } from "./ledger-events.ts";
import type { Ownership } from "./mortal-store.ts";

/** Where a body runs. */
export interface Place {
  readonly run: string;
  readonly step: string;
}

export interface Effect {
  /** What an undo was told of its step. */
  readonly told?: string;
  /** A further effect, somewhere else, whose answer is the result. */
  readonly act?: () => Promise<string>;
  /** Given how often this body has begun by now: what it throws after its effect, if anything. */
  readonly fault?: (begins: number) => Error | undefined;
}

/** What the bodies of the workflows do: have an effect on the world outside. */
export interface Effects {
  /** Answers a token that is new in every execution, or what the effect's act answered. */
  perform(step: StepContext, place: Place, effect?: Effect): Promise<string>;
}

/** An effect takes up to so long. */
const EFFECT_MAX_MS = 20;

/** A worker's connection to the ledger. When it breaks, the worker is of no use and ends. */
export class LedgerLink implements Effects {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (begins: number) => void>();
  #lastNo = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    const lines = createInterface({ input: socket });
    lines.on("line", (line) => this.#answered(line));
    for (const broken of [socket, lines]) broken.on("error", () => process.exit(3));
    socket.on("close", () => process.exit(3));
  }

  static async open(port: number): Promise<LedgerLink> {
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");
    return new LedgerLink(socket);
  }

  close(): void {
    this.#socket.removeAllListeners("close").end();
  }

  async perform(step: StepContext, place: Place, { told = "", act, fault }: Effect = {}): Promise<string> {
    const { attempt, idempotencyKey: key } = step;
    const token = `${randomUUID()} ${CANARY}`;
    const event = { ...place, key, attempt, pid: process.pid, token };
    const begins = await this.#tell({ type: "begin", ...event, outcome: told });
    const ms = Math.floor(Math.random() * (EFFECT_MAX_MS + 1));
    if (ms > 0) await delay(ms);
    try {
      const result = (await act?.()) ?? token;
      const error = fault?.(begins);
      if (error !== undefined) throw error;
      await this.#tell({ type: "end", ...event, token: result, outcome: "completed" });
      return result;
    } catch (error) {
      await this.#tell({ type: "end", ...event, outcome: "failed" });
      throw error;
    }
  }

  /** Resolves when it is written down: nothing that a worker does with a run comes before that in the ledger. */
  async own(runs: readonly Ownership[]): Promise<void> {
    await Promise.all(
      runs.map(({ run, attempt, worker, entries }) =>
        this.#tell({
          type: "claimed",
          run,
          step: "",
          key: String(worker),
          attempt,
          pid: process.pid,
          token: String(entries),
          outcome: "",
        }),
      ),
    );
  }

  #tell(event: WorkerEvent): Promise<number> {
    this.#lastNo += 1;
    const no = this.#lastNo;
    this.#socket.write(`${JSON.stringify({ no, ...event })}\n`);
    return new Promise((resolve) => {
      this.#waiting.set(no, resolve);
    });
  }

  #answered(line: string): void {
    const [no = 0, begins = 0] = line.split(" ").map(Number);
    this.#waiting.get(no)?.(begins);
    this.#waiting.delete(no);
  }
}
