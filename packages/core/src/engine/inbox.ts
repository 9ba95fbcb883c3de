import type { Message } from "../store.ts";

/** A signal that no wait has taken: sent by somebody, or given back by a wait that was withdrawn after it got it. */
export interface BufferedSignal {
  /** Null when its message is consumed already. */
  readonly no: number | null;
  readonly name: string;
  readonly payload: string;
  readonly at: number;
}

/** The run's messages that are not consumed, in order of arrival, and how many it was ever sent. */
export class Inbox {
  readonly #signals: BufferedSignal[] = [];
  readonly #cancels: Message[] = [];
  readonly #operators: Message[] = [];
  #children: Map<number, Message> | undefined;
  #lastNo = 0;
  /** The store's count as last seen: the condition of parking. */
  seen: number;
  /** By the store's clock: what was accepted until then is here. */
  lookedAt: number;
  /** Something can't be decided before the store was asked again. */
  wanted: boolean = false;
  readonly #late: ReadonlySet<number>;

  /** `late`: orders to cancel that are not obeyed. */
  constructor(
    messages: readonly Message[],
    seen: number,
    lookedAt: number,
    late: ReadonlySet<number> = new Set(),
  ) {
    this.#late = late;
    this.seen = seen;
    this.lookedAt = lookedAt;
    this.add(messages, seen, lookedAt);
  }

  get lastNo(): number {
    return this.#lastNo;
  }

  /** Takes what is new; what was seen before is ignored, so late and repeated answers do no harm. */
  add(messages: readonly Message[], seen: number, lookedAt: number): void {
    for (const message of messages) {
      if (message.no <= this.#lastNo) continue;
      this.#lastNo = message.no;
      this.#put(message);
    }
    if (seen > this.seen) this.seen = seen;
    if (lookedAt > this.lookedAt) this.lookedAt = lookedAt;
    this.wanted = false;
  }

  #put(message: Message): void {
    switch (message.type) {
      case "cancel":
        if (!this.#late.has(message.no)) this.#cancels.push(message);
        break;
      case "child":
        (this.#children ??= new Map()).set(message.no, message);
        break;
      case "operator":
        this.#operators.push(message);
        break;
      case "signal":
        this.#signals.push(message);
    }
  }

  /** Ends of children that were not taken, in order of arrival. */
  children(): Iterable<Message> {
    return this.#children?.values() ?? [];
  }

  tookChild({ no }: Message): void {
    this.#children?.delete(no);
  }

  takeOperator(): Message | undefined {
    return this.#operators.shift();
  }

  giveBack(name: string, payload: string, at: number): void {
    this.#signals.unshift({ no: null, name, payload, at });
  }

  get hasCancel(): boolean {
    return this.#cancels.length > 0;
  }

  /** Payload of the oldest. */
  get firstCancel(): string | undefined {
    return this.#cancels[0]?.payload;
  }

  takeCancel(): Message | undefined {
    return this.#cancels.shift();
  }

  /** The oldest that fits, whatever came before it. */
  takeCancelIf(fits: (payload: string) => boolean): Message | undefined {
    const index = this.#cancels.findIndex(({ payload }) => fits(payload));
    return index === -1 ? undefined : this.#cancels.splice(index, 1)[0];
  }

  /** The oldest signal of that name that came no later than `dueAt`. */
  takeSignal(name: string, dueAt: number | null): BufferedSignal | undefined {
    const index = this.#signals.findIndex(
      (signal) => signal.name === name && (dueAt === null || signal.at <= dueAt),
    );
    return index === -1 ? undefined : this.#signals.splice(index, 1)[0];
  }

  get hasSignals(): boolean {
    return this.#signals.length > 0;
  }
}
