import { parseSync, visitorKeys } from "oxc-parser";
import type { SourceFile } from "./source-file.ts";

/** A node of the syntax tree as the rules need it: they look at a few kinds only. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

export interface Syntax {
  readonly root: SyntaxNode;
  /** Each module that the file names: imports, re-exports, `import()` and types from `import("…")`. */
  readonly imports: readonly { readonly from: string; readonly at: number }[];
}

const parsed = new WeakMap<SourceFile, Syntax>();

/** Parsed once per file, since every rule asks. */
export function syntaxOf(file: SourceFile): Syntax {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const { program, errors } = parseSync(file.path, file.text, { sourceType: "module" });
  if (errors[0] !== undefined) throw new Error(`${file.path} does not parse: ${errors[0].message}`);
  const root = program as unknown as SyntaxNode;
  const syntax = { root, imports: [...descend(root)].flatMap(({ node }) => importOf(node)) };
  parsed.set(file, syntax);
  return syntax;
}

function importOf(node: SyntaxNode): { from: string; at: number }[] {
  const source = node["source"];
  if (!isNode(source) || typeof source["value"] !== "string") return [];
  return [{ from: source["value"], at: node.start }];
}

export interface Visit {
  readonly node: SyntaxNode;
  readonly parent: SyntaxNode | undefined;
  /** The property of the parent that holds the node. */
  readonly property: string;
}

/** The node and all below it, in source order. `skip` leaves a node out, with all below it. */
export function* descend(
  node: SyntaxNode,
  skip: (visit: Visit) => boolean = () => false,
  parent?: SyntaxNode,
  property = "",
): Generator<Visit> {
  const visit = { node, parent, property };
  if (skip(visit)) return;
  yield visit;
  for (const key of visitorKeys[node.type] ?? []) {
    for (const child of [node[key]].flat()) {
      if (isNode(child)) yield* descend(child, skip, node, key);
    }
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** The name that an identifier node stands for. */
export function identifierName(value: unknown): string | undefined {
  return isNode(value) && value.type === "Identifier" && typeof value["name"] === "string"
    ? value["name"]
    : undefined;
}

const LABELS = new Set(["property", "key", "label", "imported", "exported"]);

/** True where an identifier only labels something: `a.label`, `{ label: 1 }`, `import { label as b }`. */
export function isLabel({ parent, property }: Visit): boolean {
  if (parent === undefined || parent["computed"] === true) return false;
  return LABELS.has(property);
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
