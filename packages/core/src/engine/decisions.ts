/** What the engine tells the runtime to do. */
import type { NewEntry, StuckNote } from "../store.ts";
import type { Ask } from "./asks.ts";

/** What to do next with the journal. */
export type Next<H> =
  /** Resolve this ask's promise with this entry, let microtasks drain, close the turn. */
  | { readonly do: "deliver"; readonly ask: Ask<H>; readonly entry: NewEntry }
  /** The entry has no open ask. `final`: waiting for the code's own awaits can't help. */
  | { readonly do: "diverge"; readonly entry: NewEntry; readonly final: boolean }
  /** Nothing is undelivered. */
  | { readonly do: "quiet" };

export type Conclusion =
  | { readonly do: "stick"; readonly stuck: StuckNote }
  | { readonly do: "end"; readonly status: "completed"; readonly result: string | undefined }
  | { readonly do: "end"; readonly status: "failed" | "canceled"; readonly error: string | undefined };
