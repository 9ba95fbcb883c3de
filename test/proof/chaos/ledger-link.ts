import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { StepContext } from "@everstep/core";
import type { BodyEvent } from "./ledger-events.ts";

/** Where a body runs. */
export interface Place {
  readonly run: string;
  readonly step: string;
}

/** What the bodies of the workflows do: have an effect on the world outside. */
export interface Effects {
  /** Answers a token that is new in every execution. */
  perform(step: StepContext, place: Place, told?: string): Promise<string>;
  /** The same, and then it throws. */
  fail(step: StepContext, place: Place, error: Error): Promise<never>;
}

/** An effect takes up to so long. */
const EFFECT_MAX_MS = 20;

/** A worker's connection to the ledger. When it breaks, the worker is of no use and ends. */
export class LedgerLink implements Effects {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, () => void>();
  #lastNo = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    const lines = createInterface({ input: socket });
    lines.on("line", (no) => this.#answered(Number(no)));
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

  async perform(step: StepContext, place: Place, told = ""): Promise<string> {
    const token = await this.#begin(step, place, told);
    await this.#tell({ type: "end", ...this.#event(step, place, token), outcome: "completed" });
    return token;
  }

  async fail(step: StepContext, place: Place, error: Error): Promise<never> {
    const token = await this.#begin(step, place, "");
    await this.#tell({ type: "end", ...this.#event(step, place, token), outcome: "failed" });
    throw error;
  }

  async #begin(step: StepContext, place: Place, told: string): Promise<string> {
    const token = randomUUID();
    await this.#tell({ type: "begin", ...this.#event(step, place, token), outcome: told });
    const ms = Math.floor(Math.random() * (EFFECT_MAX_MS + 1));
    if (ms > 0) await delay(ms);
    return token;
  }

  #event(
    { attempt, idempotencyKey: key }: StepContext,
    place: Place,
    token: string,
  ): Omit<BodyEvent, "type" | "outcome"> {
    return { ...place, key, attempt, pid: process.pid, token };
  }

  #tell(event: BodyEvent): Promise<void> {
    this.#lastNo += 1;
    const no = this.#lastNo;
    this.#socket.write(`${JSON.stringify({ no, ...event })}\n`);
    return new Promise((resolve) => {
      this.#waiting.set(no, resolve);
    });
  }

  #answered(no: number): void {
    this.#waiting.get(no)?.();
    this.#waiting.delete(no);
  }
}
