import { sqlite } from "@everstep/adapters/sqlite";
import { Client, type Store } from "@everstep/core";

const here = globalThis as typeof globalThis & { everstep?: Everstep };

interface Everstep {
  readonly store: Store;
  readonly client: Client;
}

/** One store per process, however often this module is loaded, and none while Next.js builds. */
export function everstep(): Everstep {
  here.everstep ??= open();
  return here.everstep;
}

function open(): Everstep {
  const store: Store = sqlite(process.env["SHOP_DB"] ?? "shop.db");
  return { store, client: new Client({ store }) };
}
