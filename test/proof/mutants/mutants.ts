/** Ways to break the engine and the store below it, each in one place: proof that the simulated campaign would notice. */
import type { Mutant } from "./mutant.ts";
import { OF_ENGINE } from "./of-engine.ts";
import { OF_FAMILIES } from "./of-families.ts";
import { OF_RUNTIME } from "./of-runtime.ts";
import { OF_STORE } from "./of-store.ts";
import { OF_TRANSACTIONS } from "./of-transactions.ts";

export const MUTANTS: readonly Mutant[] = [
  ...OF_ENGINE,
  ...OF_RUNTIME,
  ...OF_STORE,
  ...OF_FAMILIES,
  ...OF_TRANSACTIONS,
];
