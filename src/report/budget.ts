/** Largest comment we write, in UTF-16 units: GitHub takes 65,536 and cuts nothing by itself. */
export const commentBudget = 60_000;

/** The first lines that fit into a number of UTF-16 units, line feeds counted, and how many were left out. */
export function fitLines(lines: readonly string[], units: number): { readonly lines: readonly string[]; readonly left: number } {
  let used = 0;
  let taken = 0;
  for (const line of lines) {
    used += line.length + 1;
    if (used > units) break;
    taken++;
  }
  return { lines: lines.slice(0, taken), left: lines.length - taken };
}
