/**
 * True when a path matches a pattern of huggingface_hub's `filter_repo_objects` (Python `fnmatchcase`): `*` and `?` cross `/`, `[...]` is a set with
 * ranges, `[!...]` its opposite, a trailing `/` means everything in that folder. Time is bounded by pattern length times path length, whatever the
 * pattern. Source: huggingface_hub `utils/_paths.py`, Python `fnmatch`.
 */
export function matchesPattern(path: string, pattern: string): boolean {
  const tokens = tokensOf(pattern.endsWith("/") ? `${pattern}*` : pattern);
  let reached = new Set([0]);
  for (const char of path) reached = step(openStars(reached, tokens), char, tokens);
  return openStars(reached, tokens).has(tokens.length);
}

type Token = "star" | ((char: string) => boolean);

/** Positions that are reached without a character: behind every `*` that was reached. */
function openStars(reached: ReadonlySet<number>, tokens: readonly Token[]): ReadonlySet<number> {
  const open = new Set(reached);
  for (const position of open) if (tokens[position] === "star") open.add(position + 1);
  return open;
}

function step(reached: ReadonlySet<number>, char: string, tokens: readonly Token[]): Set<number> {
  const next = new Set<number>();
  for (const position of reached) {
    const token = tokens[position];
    if (token === "star") next.add(position);
    else if (token?.(char) === true) next.add(position + 1);
  }
  return next;
}

function tokensOf(pattern: string): readonly Token[] {
  const chars = [...pattern];
  const tokens: Token[] = [];
  for (let index = 0; index < chars.length; index++) {
    const char = chars[index];
    if (char === "*") {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (char === "?") tokens.push(() => true);
    else {
      const end = char === "[" ? endOfSet(chars, index) : -1;
      if (end < 0) tokens.push((other) => other === char);
      else {
        tokens.push(setOf(chars.slice(index + 1, end)));
        index = end;
      }
    }
  }
  return tokens;
}

/** Where a set ends; a `]` right after `[` or `[!` belongs to the set. -1 when it never ends: then `[` is an ordinary character. */
function endOfSet(chars: readonly string[], start: number): number {
  const first = chars[start + 1] === "!" ? start + 2 : start + 1;
  return chars.indexOf("]", first + 1);
}

function setOf(chars: readonly string[]): Token {
  const negated = chars[0] === "!";
  const members = negated ? chars.slice(1) : chars;
  const ranges: (readonly [string, string])[] = [];
  for (let index = 0; index < members.length; index++) {
    const low = members[index] ?? "";
    const high = members[index + 1] === "-" && index + 2 < members.length ? (members[index + 2] ?? low) : low;
    if (high !== low) index += 2;
    ranges.push([low, high]);
  }
  return (char) => ranges.some(([low, high]) => low <= char && char <= high) !== negated;
}

/** True when a path is wanted: it matches one of `include` (or that is empty) and none of `exclude`. */
export function fileSelected(path: string, include: readonly string[], exclude: readonly string[]): boolean {
  const matches = (patterns: readonly string[]): boolean => patterns.some((pattern) => matchesPattern(path, pattern));
  return (include.length === 0 || matches(include)) && !matches(exclude);
}
