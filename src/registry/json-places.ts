const structure = /"(?:\\.|[^"\\])*"|[[\]{},]|\n|[^\s"[\]{},]+/g;

const steps: ReadonlyMap<string, number> = new Map([
  ["[", 1],
  ["{", 1],
  ["]", -1],
  ["}", -1],
]);

/** Line and column (from 1) at which each element of a top-level JSON array starts; the text must be valid JSON. */
export function elementPlaces(text: string): readonly { readonly line: number; readonly column: number }[] {
  const places: { line: number; column: number }[] = [];
  let [depth, line, lineStart] = [0, 1, 0];
  let expected = false;
  for (const { 0: token, index } of text.matchAll(structure)) {
    if (token === "\n") {
      line++;
      lineStart = index + 1;
      continue;
    }
    if (depth === 1 && expected && token !== "]") places.push({ line, column: index - lineStart + 1 });
    depth += steps.get(token) ?? 0;
    expected = depth === 1 && (token === "," || token === "[");
  }
  return places;
}
