import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";

/** One module that a source file refers to, in any way that makes it a dependency. */
export interface Reference {
  /** Path from `src/` for own files (`domain/plan.ts`), else the specifier as written. */
  readonly target: string;
  readonly own: boolean;
  readonly line: number;
}

/** A source file as the architecture sees it. */
export interface SourceFile {
  /** Path from the source root with `/`. */
  readonly path: string;
  readonly lines: number;
  readonly references: readonly Reference[];
  /** The text without comments, with the content of strings, templates and regular expressions taken out. */
  readonly code: string;
}

/** Reads every TypeScript file below a folder. */
export function readSources(root: string): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) => scanSource(relative(root, file).replaceAll("\\", "/"), readFileSync(file, "utf8")));
}

/** Finds the references of one file: static and dynamic imports, re-exports, `import type`, `typeof import()`, and worker files named by URL. */
export function scanSource(path: string, text: string): SourceFile {
  const { code, strings } = mask(text);
  const references: Reference[] = [];
  const note = (index: number, id: string | undefined): void => {
    const specifier = id === undefined ? undefined : strings[Number(id)];
    const line = code.slice(0, index).split("\n").length;
    if (specifier === undefined) references.push({ target: "(computed)", own: false, line });
    else if (specifier.startsWith(".")) references.push({ target: posix.join(dirname(path), specifier), own: true, line });
    else references.push({ target: specifier, own: false, line });
  };
  for (const match of code.matchAll(/\b(?:import|export)\b[^;"'`()]*?\bfrom\s*"(\d+)"/g)) note(match.index, match[1]);
  for (const match of code.matchAll(/\bimport\s*"(\d+)"/g)) note(match.index, match[1]);
  for (const match of code.matchAll(/\bimport\s*\(\s*(?:"(\d+)"\s*[,)])?/g)) note(match.index, match[1]);
  for (const match of code.matchAll(/\bnew URL\(\s*"(\d+)"\s*,\s*import\.meta\.url/g)) {
    if (/\.[cm]?[jt]s$/.test(strings[Number(match[1])] ?? "")) note(match.index, match[1]);
  }
  return { path, lines: text.trimEnd().split("\n").length, references, code };
}

/** Takes out comments and replaces the content of every string by its number, so that nothing in them is taken for code. */
function mask(text: string): { readonly code: string; readonly strings: readonly string[] } {
  const strings: string[] = [];
  const kept = (content: string, quote: string): string => `${quote}${strings.push(content) - 1}${quote}`;
  const blank = (content: string): string => content.replaceAll(/[^\n]/g, " ");
  let code = "";
  let index = 0;
  // Each open `${` of a template, with the depth of braces in which it closes.
  const templates: number[] = [];
  let braces = 0;
  while (index < text.length) {
    const rest = text.slice(index);
    const comment = /^(?:\/\/[^\n]*|\/\*[\s\S]*?\*\/)/.exec(rest)?.[0];
    const string = /^(?:"((?:\\[\s\S]|[^"\\\n])*)"|'((?:\\[\s\S]|[^'\\\n])*)')/.exec(rest);
    const regex = startsExpression(code) ? /^\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/.exec(rest)?.[0] : undefined;
    const char = text.charAt(index);
    const resumes = char === "}" && templates.at(-1) === braces;
    if (comment !== undefined) {
      code += blank(comment);
      index += comment.length;
    } else if (string !== null) {
      code += kept(string[1] ?? string[2] ?? "", '"');
      index += string[0].length;
    } else if (regex !== undefined) {
      code += "/r/";
      index += regex.length;
    } else if (char === "`" || resumes) {
      if (resumes) templates.pop();
      const part = /^[`}]((?:\\[\s\S]|\$(?!\{)|[^`\\$])*)(`|\$\{)/.exec(rest);
      code += `${resumes ? "}" : '""'}${blank(part?.[1] ?? "").replaceAll(" ", "")}${part?.[2] === "${" ? "${" : ""}`;
      if (part?.[2] === "${") templates.push(braces);
      index += part?.[0].length ?? 1;
    } else {
      if (char === "{") braces++;
      if (char === "}") braces--;
      code += char;
      index++;
    }
  }
  return { code, strings };
}

/** Whether a `/` at this place begins a regular expression rather than divides. */
function startsExpression(before: string): boolean {
  const trimmed = before.trimEnd();
  return trimmed === "" || /[(,=:[!&|?{};+\-*%~^<>]$/.test(trimmed) || /\b(?:return|typeof|case|in|of|void|delete|await|yield)$/.test(trimmed);
}
