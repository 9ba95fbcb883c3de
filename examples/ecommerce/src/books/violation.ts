import type { Accounts, Evidence } from "./evidence.ts";

/** What a shop must never find in its books: each kind has a check in this folder, and a case in the test. */
export type ViolationKind =
  | "lost-order"
  | "ghost-charge"
  | "double-charge"
  | "wrong-charge"
  | "wrong-ending"
  | "broken-word"
  | "wrong-answer"
  | "orders-table"
  | "stock"
  | "rerun-after-journal"
  | "unwitnessed"
  | "post-order"
  | "lost-mail"
  | "wrong-mail"
  | "points"
  | "warehouse";

export interface Violation {
  readonly kind: ViolationKind;
  /** The order, product or step that it is about. */
  readonly about: string;
  readonly what: string;
}

export type Check = (evidence: Evidence, accounts: Accounts) => Violation[];

export function found(wrong: boolean, kind: ViolationKind, about: string, what: string): Violation[] {
  return wrong ? [{ kind, about, what }] : [];
}
