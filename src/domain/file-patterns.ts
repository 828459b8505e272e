/**
 * Translates one pattern of huggingface_hub `filter_repo_objects` (Python `fnmatchcase`): `*` and `?` cross `/`, `[...]` is a set, a trailing `/`
 * means everything in that folder. Source: huggingface_hub `utils/_paths.py`.
 */
export function filePattern(pattern: string): RegExp {
  const text = pattern.endsWith("/") ? `${pattern}*` : pattern;
  let source = "";
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === "*") source += "[\\s\\S]*";
    else if (char === "?") source += "[\\s\\S]";
    else if (char === "[") {
      const end = text.indexOf("]", index + 2);
      if (end < 0) source += "\\[";
      else {
        const set = text.slice(index + 1, end).replaceAll("\\", "\\\\");
        source += set.startsWith("!") ? `[^${set.slice(1)}]` : `[${set.startsWith("^") ? `\\${set}` : set}]`;
        index = end;
      }
    } else source += char.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  }
  return new RegExp(`^${source.replaceAll(/(\[\\s\\S\]\*)+/g, "[\\s\\S]*")}$`);
}

/** True when a path is wanted: it matches one of `include` (or that is empty) and none of `exclude`. */
export function fileSelected(path: string, include: readonly string[], exclude: readonly string[]): boolean {
  const matches = (patterns: readonly string[]): boolean => patterns.some((pattern) => filePattern(pattern).test(path));
  return (include.length === 0 || matches(include)) && !matches(exclude);
}
