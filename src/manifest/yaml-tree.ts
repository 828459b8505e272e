import { isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from "yaml";
import { quote } from "./quote.ts";

/** Something wrong with the tree of a document, at an offset of the text. */
export interface TreeProblem {
  readonly code: string;
  readonly offset: number;
  readonly message: string;
  readonly remedy: string;
}

const reserved: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Finds keys that are written twice, names that JavaScript gives a meaning, and merge keys. The library's own check for duplicates compares every
 * key with every other; this one is linear.
 */
export function treeProblems(document: Document.Parsed, lines: LineCounter): readonly TreeProblem[] {
  const problems: TreeProblem[] = [];
  const open: (Node | null | undefined)[] = [document.contents];
  while (open.length > 0) {
    const node = open.pop();
    if (isSeq<Node>(node)) open.push(...node.items);
    if (!isMap<Node, Node | null>(node)) continue;
    const seen = new Map<string, number>();
    for (const { key, value } of node.items) {
      open.push(value);
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const offset = key.range?.[0] ?? 0;
      const problem = keyProblem(name, seen.get(name), offset, lines);
      if (problem !== undefined) problems.push({ ...problem, offset });
      if (!seen.has(name)) seen.set(name, offset);
    }
  }
  return problems;
}

function keyProblem(name: string, first: number | undefined, offset: number, lines: LineCounter): Omit<TreeProblem, "offset"> | undefined {
  if (reserved.has(name)) return { code: "yaml.reserved-key", message: `the key ${quote(name)} is not accepted`, remedy: "use another word" };
  if (name === "<<") return { code: "yaml.merge-key", message: "merge keys (<<) are not read", remedy: "write the keys out" };
  if (first === undefined) return undefined;
  const message = `the key ${quote(name)} is written twice: in line ${lines.linePos(first).line} and in line ${lines.linePos(offset).line}`;
  return { code: "yaml.duplicate-key", message, remedy: "remove one of the two" };
}
