import type { ErrorObject } from "ajv";
import type { Finding } from "./finding.ts";
import { placeText } from "./finding.ts";
import { nameProblem } from "./names.ts";
import { suggestion } from "./nearest.ts";
import { quote } from "./quote.ts";
import type { Segment, YamlDocument } from "./yaml-document.ts";

/** Turns what a schema rejects into findings that say what to write instead. */
export function schemaFindings(document: YamlDocument, errors: readonly ErrorObject[]): readonly Finding[] {
  const findings = new Map<string, Finding>();
  for (const error of errors) {
    if (isConsequence(error, errors)) continue;
    const path = instanceSegments(error.instancePath);
    const finding = (explanations[error.keyword] ?? explainOther)(error, path, document);
    const key = `${finding.code} ${finding.path.join("/")} ${finding.message}`;
    if (!findings.has(key)) findings.set(key, finding);
  }
  return [...findings.values()];
}

type Explain = (error: ErrorObject, path: readonly Segment[], document: YamlDocument) => Finding;

const explanations: Readonly<Record<string, Explain>> = {
  type: explainType,
  anyOf: explainType,
  additionalProperties: explainUnknownKey,
  required: explainMissingKey,
  enum: explainEnum,
  const: explainConst,
  pattern: explainPattern,
  minProperties: explainMembers,
  maxProperties: explainMembers,
};

/**
 * True for errors that only repeat another one: of a union, only the branch with the right JSON type is told; a count of members says nothing when a
 * member itself is unknown; the wrapper around a bad key says nothing beyond the key.
 */
function isConsequence(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  const { keyword, instancePath } = error;
  if (keyword === "propertyNames") return true;
  if (keyword === "minLength") return errors.some((other) => other.keyword === "pattern" && other.instancePath === instancePath);
  if (keyword === "maxProperties") return errors.some((other) => other.keyword === "additionalProperties" && other.instancePath === instancePath);
  const union = errors.find(
    (other) => other.keyword === "anyOf" && (instancePath === other.instancePath || instancePath.startsWith(`${other.instancePath}/`)),
  );
  if (union === undefined) return false;
  const object = typeof union.data === "object" && union.data !== null;
  if (keyword === "anyOf") return object || typeof union.data === "string";
  return keyword === "type" && instancePath === union.instancePath;
}

function explainType(error: ErrorObject, path: readonly Segment[], document: YamlDocument): Finding {
  const wanted = error.keyword === "anyOf" ? "text, or a mapping" : (typeNames.get(String(error.params["type"])) ?? "something else");
  const written = document.written(path);
  const value: unknown = error.data;
  const base = { code: "schema.type", path } as const;
  if (value === null)
    return {
      ...base,
      message: `${placeText(path)} is empty; it must be ${wanted}`,
      remedy: written === "~" ? 'YAML reads a bare ~ as nothing: write "~", in quotes' : "write a value, or remove the key",
    };
  if (wanted.startsWith("text") && (typeof value === "number" || typeof value === "boolean")) {
    const text = written ?? String(value);
    const read = `${typeof value === "number" ? "the number" : "the truth value"} ${String(value)}`;
    const remedy = fitsPattern(text, error.parentSchema) ? `write ${JSON.stringify(text)}, in quotes` : descriptionOf(error.parentSchema);
    return { ...base, message: `${placeText(path)} must be text, but YAML reads ${text} as ${read}`, remedy };
  }
  return { ...base, message: `${placeText(path)} must be ${wanted}, not ${typeName(value)}`, remedy: typeRemedy(wanted, value, error) };
}

/** Quotes help only when the text itself is acceptable: `grace: 7` lacks its unit. */
function fitsPattern(text: string, schema: unknown): boolean {
  const pattern = isRecord(schema) ? schema["pattern"] : undefined;
  return typeof pattern !== "string" || new RegExp(pattern, "u").test(text);
}

const typeNames = new Map([
  ["string", "text"],
  ["integer", "a whole number"],
  ["number", "a number"],
  ["boolean", "true or false"],
  ["array", "a list"],
  ["object", "a mapping"],
]);

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "empty";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? `the text ${quote(value)}` : String(value);
}

function typeRemedy(wanted: string, value: unknown, error: ErrorObject): string | undefined {
  if (wanted === "a list" && typeof value === "string") return `write [${value.slice(0, 60)}]`;
  if (wanted === "a whole number" && typeof value === "string" && /^-?[0-9]+$/.test(value)) return `write ${value} without quotes`;
  if (wanted === "true or false") return "YAML knows only true and false; yes, no, on and off are text";
  return exampleOf(error.parentSchema);
}

function explainUnknownKey(error: ErrorObject, path: readonly Segment[]): Finding {
  const key = String(error.params["additionalProperty"]);
  const known = Object.keys(membersOf(error.parentSchema));
  const where = path.length === 0 ? "at the top" : `in ${placeText(path)}`;
  const secret = key === "token" && path[0] === "huggingface" ? "secrets do not belong in files: set HF_TOKEN or huggingface.tokenFile" : undefined;
  return {
    code: "schema.unknown-key",
    path: [...path, key],
    at: "key",
    message: `unknown key ${quote(key)} ${where}`,
    remedy: secret ?? suggestion(key, known),
  };
}

function explainMissingKey(error: ErrorObject, path: readonly Segment[]): Finding {
  const key = String(error.params["missingProperty"]);
  const part = membersOf(error.parentSchema)[key];
  return { code: "schema.missing-key", path, message: `${placeText([...path, key])} is missing`, remedy: exampleOf(part, key) ?? `add ${key}` };
}

function explainEnum(error: ErrorObject, path: readonly Segment[], document: YamlDocument): Finding {
  const allowed: readonly unknown[] = Array.isArray(error.params["allowedValues"]) ? error.params["allowedValues"] : [];
  const words = allowed.map(String);
  const text = document.written(path) ?? String(error.data);
  return {
    code: "schema.enum",
    path,
    message: `${placeText(path)} is ${quote(error.data)}; it must be one of ${words.join(", ")}`,
    remedy: suggestionOnly(text, words),
  };
}

function suggestionOnly(word: string, words: readonly string[]): string | undefined {
  const text = suggestion(word, words);
  return text?.startsWith("did you mean") === true ? text : undefined;
}

function explainConst(error: ErrorObject, path: readonly Segment[]): Finding {
  const wanted: unknown = error.params["allowedValue"];
  return {
    code: "schema.const",
    path,
    message: `${placeText(path)} is ${quote(error.data)}; it must be ${quote(wanted)}`,
    remedy: `write ${placeText(path)}: ${String(wanted)}`,
  };
}

function explainPattern(error: ErrorObject, path: readonly Segment[]): Finding {
  const key = error.propertyName;
  const value: unknown = key ?? error.data;
  const place = key === undefined ? path : [...path, key];
  const reason = typeof value === "string" && isNameSchema(error.parentSchema) ? nameProblem(value) : undefined;
  const message = reason === undefined ? `${placeText(place)} is not well-formed: ${quote(value)}` : `${placeText(place)} ${quote(value)} ${reason}`;
  return {
    code: "schema.pattern",
    path: place,
    at: key === undefined ? "value" : "key",
    message,
    remedy: reason === undefined ? descriptionOf(error.parentSchema) : exampleOf(error.parentSchema),
  };
}

/** The name pattern is the only one that forbids the placeholder of old registries. */
function isNameSchema(schema: unknown): boolean {
  const pattern = isRecord(schema) ? schema["pattern"] : undefined;
  return typeof pattern === "string" && pattern.includes("model-ollama-gguf");
}

function explainMembers(error: ErrorObject, path: readonly Segment[]): Finding {
  const kinds = Object.keys(membersOf(error.parentSchema)).join(", ");
  const keys = isRecord(error.data) ? Object.keys(error.data) : [];
  if (keys.length === 0)
    return {
      code: "source.none",
      path,
      message: `${placeText(path)} names no source; exactly one of ${kinds} is needed`,
      remedy: exampleOf(error.parentSchema),
    };
  const message = `${placeText(path)} is ${keys.length} sources at once: ${keys.join(", ")}`;
  return { code: "source.several", path: [...path, keys[1] ?? ""], at: "key", message, remedy: "keep one; write a second manifest for the other" };
}

function explainOther(error: ErrorObject, path: readonly Segment[]): Finding {
  const place = error.propertyName === undefined ? path : [...path, error.propertyName];
  const limit = String(error.params["limit"]);
  const problem = ranges.get(error.keyword)?.replace("#", limit) ?? error.message ?? "is not accepted";
  return { code: "schema.range", path: place, message: `${placeText(place)} ${problem}`, remedy: descriptionOf(error.parentSchema) };
}

const ranges: ReadonlyMap<string, string> = new Map([
  ["minLength", "is empty"],
  ["maxLength", "is longer than # characters"],
  ["minItems", "needs at least # item"],
  ["maxItems", "has more than # items"],
  ["minimum", "must be at least #"],
  ["maximum", "must be at most #"],
]);

function descriptionOf(schema: unknown): string | undefined {
  const description = isRecord(schema) ? schema["description"] : undefined;
  const example = exampleOf(schema);
  return typeof description === "string" ? `${description}${example === undefined ? "" : ` F${example.slice(1)}.`}` : example;
}

function exampleOf(schema: unknown, key?: string): string | undefined {
  const examples = isRecord(schema) ? schema["examples"] : undefined;
  const example: unknown = Array.isArray(examples) ? examples[0] : undefined;
  if (example === undefined) return undefined;
  const text = typeof example === "string" ? example : JSON.stringify(example);
  return key === undefined ? `for example ${text}` : `add ${key}: ${text}`;
}

function membersOf(schema: unknown): Readonly<Record<string, unknown>> {
  const properties = isRecord(schema) ? schema["properties"] : undefined;
  return isRecord(properties) ? properties : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The steps of a JSON pointer. */
export function instanceSegments(pointer: string): readonly Segment[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^(0|[1-9][0-9]*)$/.test(part) ? Number(part) : part));
}
