/** Line and column (from 1) at which each element of a top-level JSON array starts; the text must be valid JSON. */
export function elementPlaces(text: string): readonly { readonly line: number; readonly column: number }[] {
  const places: { line: number; column: number }[] = [];
  let depth = 0;
  let line = 1;
  let lineStart = 0;
  let expectElement = false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === "\n") {
      line++;
      lineStart = index + 1;
    }
    if (/\s/.test(char)) continue;
    if (depth === 1 && expectElement && char !== "]") places.push({ line, column: index - lineStart + 1 });
    expectElement = depth <= 1 && (char === "," || (depth === 0 && char === "["));
    if (char === '"') index = stringEnd(text, index);
    else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth--;
  }
  return places;
}

function stringEnd(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text.charAt(index) !== '"') index += text.charAt(index) === "\\" ? 2 : 1;
  return index;
}
