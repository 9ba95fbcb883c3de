/**
 * How something is used: `own`, by a write for itself. `send` and `message`: whatever sends, or is sent, to it. Two of these kinds keep
 * their order among themselves wherever they are.
 */
export type How = "own" | "send" | "message";

export interface Use<H extends string = How> {
  /** A run, or an event. */
  readonly key: string;
  readonly how: H;
  /** All runs whose ids begin with the key. */
  readonly isPrefix?: boolean;
}

export const runKey = (id: string): string => id;
/** No run has such an id. */
export const eventKey = (name: string, id: string): string => `\0${JSON.stringify([name, id])}`;

/** Gives each item, in order, the first place after all that came before it for the same thing; beside it, where these two may share one. */
export class Places<H extends string> {
  readonly #mayShare: (before: H, how: H) => boolean;
  readonly #last = new Map<string, { readonly place: number; readonly how: H }>();
  readonly #prefixes = new Map<string, { readonly place: number; readonly how: H }>();
  readonly #lengths = new Set<number>();
  #floor = 0;
  #top = -1;

  constructor(mayShare: (before: H, how: H) => boolean) {
    this.#mayShare = mayShare;
  }

  /** Of the only thing that an item is about, as nearly all are. */
  placeOne(key: string, how: H): number {
    let place = Math.max(this.#floor, this.#behind(this.#last.get(key), how));
    if (this.#lengths.size > 0) place = Math.max(place, this.#behindPrefixes(key, how));
    this.#last.set(key, { place, how });
    this.#top = Math.max(this.#top, place);
    return place;
  }

  /** Each of its uses is then the last one of its key; of two of one key, the later. */
  place(uses: readonly Use<H>[]): number {
    const place = Math.max(this.#floor, ...uses.map((use) => this.#after(use)));
    for (const { key, how, isPrefix } of uses) {
      if (isPrefix === true) {
        this.#prefixes.set(key, { place, how });
        this.#lengths.add(key.length);
      } else this.#last.set(key, { place, how });
    }
    this.#top = Math.max(this.#top, place);
    return place;
  }

  /** After all that came before, and before all that comes after. */
  placeApart(): number {
    this.#top += 1;
    this.#floor = this.#top + 1;
    return this.#top;
  }

  #after({ key, how, isPrefix }: Use<H>): number {
    const last = isPrefix === true ? this.#prefixes.get(key) : this.#last.get(key);
    let place = Math.max(this.#behind(last, how), this.#behindPrefixes(key, how));
    if (isPrefix === true) {
      for (const [other, last] of this.#last)
        if (other.startsWith(key)) place = Math.max(place, this.#behind(last, how));
    }
    return place;
  }

  #behindPrefixes(key: string, how: H): number {
    let place = 0;
    for (const length of this.#lengths)
      place = Math.max(place, this.#behind(this.#prefixes.get(key.slice(0, length)), how));
    return place;
  }

  #behind(last: { readonly place: number; readonly how: H } | undefined, how: H): number {
    if (last === undefined) return 0;
    return last.place + (this.#mayShare(last.how, how) ? 0 : 1);
  }
}
