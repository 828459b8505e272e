import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node, type ParsedNode } from "yaml";
import type { SourceLocation } from "../domain/diagnostic.ts";

/** One step into a document: a key or an index. */
export type Segment = string | number;

/** A decoded document that still knows where everything was written. */
export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** The place of the key or value; of the nearest thing around it when it is not there. */
  readonly locate: (path: readonly Segment[], at: "key" | "value") => SourceLocation;
  /** How a scalar was written, for example `010`. */
  readonly written: (path: readonly Segment[]) => string | undefined;
}

type Parsed = Document.Parsed<ParsedNode, true>;

/** Joins a decoded value with the positions of its nodes. */
export function yamlDocument(file: string, document: Parsed, lines: LineCounter, value: unknown): YamlDocument {
  return {
    file,
    value,
    locate: (path, at) => locationOf(file, lines, offsetOf(document, path, at)),
    written: (path) => {
      const node = follow(document, path).value;
      return isScalar(node) && typeof node.source === "string" ? node.source : undefined;
    },
  };
}

/** Line and column of an offset, both from 1. */
export function locationOf(file: string, lines: LineCounter, offset: number): SourceLocation {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function offsetOf(document: Parsed, path: readonly Segment[], at: "key" | "value"): number {
  const { key, value } = follow(document, path);
  const bare = value === undefined || (isScalar(value) && value.value === null && !value.source);
  const node = key !== undefined && (at === "key" || bare) ? key : value;
  return node?.range?.[0] ?? document.range[0];
}

function follow(document: Parsed, path: readonly Segment[]): { readonly key?: Node | undefined; readonly value?: Node | undefined } {
  let place: { readonly key?: Node | undefined; readonly value?: Node | undefined } = { value: document.contents ?? undefined };
  for (const segment of path) {
    const next = step(document, place.value, segment);
    if (next === undefined) return place;
    place = next;
  }
  return place;
}

function step(document: Parsed, node: Node | undefined, segment: Segment): { readonly key?: Node; readonly value?: Node } | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  if (isSeq<Node>(target)) {
    const item = target.items[Number(segment)];
    return item === undefined ? undefined : { value: item };
  }
  if (!isMap<Node, Node | null>(target)) return undefined;
  const pair = target.items.find(({ key }) => isScalar(key) && key.value === String(segment));
  return pair === undefined ? undefined : { key: pair.key, ...(pair.value === null ? {} : { value: pair.value }) };
}
