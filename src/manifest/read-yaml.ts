import { Composer, Lexer, LineCounter, Parser, type CST, type Document, type ParsedNode } from "yaml";
import type { Diagnostic } from "../domain/diagnostic.ts";
import type { TextFile } from "../ports/project-source.ts";
import { treeProblems } from "./yaml-tree.ts";
import { locationOf, yamlDocument, type YamlDocument } from "./yaml-document.ts";

/** How much YAML is read before it counts as hostile. */
export interface YamlLimits {
  readonly bytes: number;
  readonly nodes: number;
  readonly depth: number;
}

/** For what people write: manifests, policies, settings. */
export const manifestLimits: YamlLimits = { bytes: 1024 * 1024, nodes: 10_000, depth: 64 };

const maxAliases = 100;
const maxSyntaxErrors = 20;
/** The lexer announces the text of a plain or block scalar with this character. */
const scalarMark = "\u001f";
const options = {
  version: "1.2",
  schema: "core",
  merge: false,
  uniqueKeys: false,
  stringKeys: true,
  resolveKnownTags: false,
  prettyErrors: false,
  logLevel: "silent",
} as const;

type Stop = { readonly code: string; readonly offset: number; readonly message: string; readonly remedy: string };

/** The documents of a file that could be read, and what is wrong with the others. */
export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads every document of a file. Documents with errors are left out, each error is a diagnostic; nothing is thrown. */
export function readYaml(file: TextFile, limits: YamlLimits): YamlFile {
  const lines = new LineCounter();
  const scanned = scan(file.text, limits, lines);
  if ("stop" in scanned) {
    const { code, offset, message, remedy } = scanned.stop;
    return { documents: [], diagnostics: [{ severity: "error", code, message, location: locationOf(file.path, lines, offset), remedy }] };
  }
  const documents: YamlDocument[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const document of new Composer<ParsedNode>(options).compose(scanned.tokens, true, file.text.length)) {
    const problems = [...syntaxProblems(document), ...treeProblems(document, lines)];
    diagnostics.push(
      ...problems.map(({ offset, ...rest }) => ({ severity: "error" as const, ...rest, location: locationOf(file.path, lines, offset) })),
    );
    if (problems.length > 0) continue;
    const value = plainValue(document);
    if ("problem" in value) diagnostics.push({ severity: "error", ...value.problem, location: locationOf(file.path, lines, document.range[0]) });
    else documents.push(yamlDocument(file.path, document, lines, value.value));
  }
  return { documents, diagnostics };
}

/** Splits the text into syntax tokens and stops at the first limit, so that a bomb costs no more than a large file. */
function scan(text: string, limits: YamlLimits, lines: LineCounter): { readonly tokens: readonly CST.Token[] } | { readonly stop: Stop } {
  lines.addNewLine(0);
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.bytes) {
    return {
      stop: {
        code: "yaml.too-large",
        offset: 0,
        message: `the file has ${bytes} bytes; at most ${limits.bytes} are read`,
        remedy: "split it into several files",
      },
    };
  }
  const conflict = text.search(/^<{7} /m);
  if (conflict >= 0) {
    for (let newline = text.indexOf("\n"); newline >= 0 && newline < conflict; newline = text.indexOf("\n", newline + 1))
      lines.addNewLine(newline + 1);
    return {
      stop: { code: "yaml.merge-conflict", offset: conflict, message: "the file has an unresolved merge conflict", remedy: "resolve it in Git" },
    };
  }
  const parser = new Parser(lines.addNewLine);
  const counts = { nodes: 0, values: 0, aliases: 0 };
  const tokens: CST.Token[] = [];
  let before = "";
  for (const lexeme of new Lexer().lex(text)) {
    if (before !== scalarMark) count(lexeme, counts);
    before = lexeme;
    for (const token of parser.next(lexeme)) tokens.push(token);
    const stop = exceeded(limits, counts, parser) ?? directive(tokens.at(-1));
    if (stop !== undefined) return { stop };
  }
  for (const token of parser.end()) tokens.push(token);
  return { tokens };
}

function count(lexeme: string, counts: { nodes: number; values: number; aliases: number }): void {
  const first = lexeme.charAt(0);
  if (lexeme === ":") counts.values++;
  else if (first === "*") counts.aliases++;
  if (lexeme === scalarMark || (lexeme.length === 1 && "-?[{".includes(first)) || "*'\"|>".includes(first)) counts.nodes++;
}

function exceeded(
  limits: YamlLimits,
  counts: { readonly nodes: number; readonly values: number; readonly aliases: number },
  parser: Parser,
): Stop | undefined {
  const { offset } = parser;
  if (Math.max(counts.nodes, counts.values) > limits.nodes) {
    return { code: "yaml.too-many-nodes", offset, message: `the file has more than ${limits.nodes} values`, remedy: "split it into several files" };
  }
  // The parser's stack holds the document, one entry for each open collection and, last, the scalar being read.
  const top = parser.stack.at(-1);
  if (parser.stack.length - (top !== undefined && "items" in top ? 1 : 2) > limits.depth) {
    return {
      code: "yaml.too-deep",
      offset,
      message: `lists and mappings are nested more than ${limits.depth} deep`,
      remedy: "no manifest needs that; close the brackets or check the indentation",
    };
  }
  if (counts.aliases > maxAliases) {
    return { code: "yaml.too-many-aliases", offset, message: `the file has more than ${maxAliases} aliases`, remedy: "write the values out" };
  }
  return undefined;
}

function directive(token: CST.Token | undefined): Stop | undefined {
  if (token?.type !== "directive") return undefined;
  return {
    code: "yaml.directive",
    offset: token.offset,
    message: "a line starting with % changes how YAML is read and is not accepted",
    remedy: "remove the line; files are YAML 1.2",
  };
}

function syntaxProblems(document: Document.Parsed): readonly Stop[] {
  const errors = document.errors.slice(0, maxSyntaxErrors).map(({ code, pos, message }) => ({
    code: "yaml.syntax",
    offset: pos[0],
    message: message.split("\n", 1)[0]?.slice(0, 200) ?? "",
    remedy: syntaxRemedies.get(code) ?? "check the indentation, the colons and the quotes here and in the line before",
  }));
  const tags = document.warnings.map(({ pos, message }) => ({
    code: "yaml.tag",
    offset: pos[0],
    message: message.split("\n", 1)[0]?.slice(0, 200) ?? "",
    remedy: "remove the tag; only plain YAML values are read",
  }));
  return [...errors, ...tags];
}

const syntaxRemedies: ReadonlyMap<string, string> = new Map([
  ["TAB_AS_INDENT", "indent with spaces"],
  ["MULTILINE_IMPLICIT_KEY", "a colon is probably missing after this key"],
  ["NON_STRING_KEY", "a key is a word; write a list or a mapping as a value"],
  ["BLOCK_AS_IMPLICIT_KEY", "put the value in quotes if it contains a colon, or start the mapping on its own line"],
]);

function plainValue(document: Document.Parsed): { readonly value: unknown } | { readonly problem: Omit<Stop, "offset"> } {
  try {
    return { value: document.toJS({ maxAliasCount: maxAliases }) };
  } catch (error) {
    // The library throws ReferenceError for an alias without anchor and for aliases that multiply.
    const message = error instanceof Error ? error.message : String(error);
    return { problem: { code: "yaml.alias", message: message.slice(0, 200), remedy: "write the values out instead of repeating them by alias" } };
  }
}
