/** Ways to break what the reference store does between runs, and for people: sends, children, events, repairs. */
import { inFile, type Mutant } from "./conformance-mutant.ts";

export const NEWER_MUTANTS: readonly Mutant[] = [];
