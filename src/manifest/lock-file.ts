import type { DesiredState } from "../domain/desired.ts";
import { compareText, sortDiagnostics, type Diagnostic } from "../domain/diagnostic.ts";
import type { Artifact } from "../domain/digest.ts";
import { lockEntryOf, type LockedSource, type LockEntry, type LockFile } from "../domain/lock.ts";
import { lockMismatch } from "../domain/placement.ts";
import type { TextFile } from "../ports/project-source.ts";
import { diagnosticOf, type Finding } from "./finding.ts";
import { lockEntryFindings } from "./lock-checks.ts";
import { readLockLines } from "./lock-lines.ts";
import { quote } from "./quote.ts";
import { readYaml, type YamlLimits } from "./read-yaml.ts";
import { schemaAddress } from "./schemas.ts";
import { schemaFindings } from "./schema-findings.ts";
import { validate } from "./validate.ts";
import type { WrittenEntry, WrittenLock, WrittenSource } from "./written/lock.ts";
import type { YamlDocument } from "./yaml-document.ts";

const empty: LockFile = { version: 1, entries: [] };
const largest = 64 * 1024 * 1024;
/** For a lock file that Holdfast did not write like this, for example after a merge. */
const lockLimits: YamlLimits = { bytes: 8 * 1024 * 1024, nodes: 200_000, depth: 64 };

/** The lock and everything that is wrong with it; with errors the lock is empty, because nothing in a broken lock can be relied on. */
export interface DecodedLock {
  readonly lock: LockFile;
  readonly diagnostics: readonly Diagnostic[];
}

/** Decodes the lock file and recomputes every digest that follows from its content. Without a file the lock is empty. */
export function decodeLock(file: TextFile | undefined): DecodedLock {
  if (file === undefined) return { lock: empty, diagnostics: [] };
  const quick = file.text.length <= largest ? decodeOwnForm(file.text) : undefined;
  if (quick !== undefined) return { lock: quick, diagnostics: [] };
  const { documents, diagnostics } = readYaml(file, lockLimits);
  const [document, second] = documents;
  if (diagnostics.length > 0 || document === undefined) return { lock: empty, diagnostics };
  if (second !== undefined)
    return {
      lock: empty,
      diagnostics: [
        diagnosticOf(second, { code: "lock.documents", path: [], message: "a lock file is one document", remedy: "restore the file from Git" }),
      ],
    };
  return decodeDocument(document);
}

/** The lock when the text is exactly what `encodeLock` gives for it. */
function decodeOwnForm(text: string): LockFile | undefined {
  const checked = validate("lock", readLockLines(text));
  if ("errors" in checked) return undefined;
  const lock = decodeWritten(checked.data);
  const sound = lock.entries.every((entry) => lockEntryFindings(entry).length === 0) && duplicateFindings(checked.data.models).length === 0;
  return sound && encodeLock(lock) === text ? lock : undefined;
}

function decodeDocument(document: YamlDocument): DecodedLock {
  if (document.value === null)
    return {
      lock: empty,
      diagnostics: [
        diagnosticOf(document, {
          code: "lock.empty",
          path: [],
          message: "the lock file is there but empty; an empty lock pins nothing",
          remedy: "restore it from Git, or delete the file",
        }),
      ],
    };
  const checked = validate("lock", document.value);
  const findings = "errors" in checked ? schemaFindings(document, checked.errors) : contentFindings(checked.data);
  const diagnostics = sortDiagnostics(findings.map((finding) => diagnosticOf(document, finding)));
  return { lock: "data" in checked && findings.length === 0 ? decodeWritten(checked.data) : empty, diagnostics };
}

function contentFindings(written: WrittenLock): readonly Finding[] {
  const own = written.models.flatMap((entry, index) =>
    lockEntryFindings(decodeEntry(entry)).map((finding) => ({ ...finding, path: ["models", index, ...finding.path] })),
  );
  return [...own, ...duplicateFindings(written.models)];
}

function duplicateFindings(models: readonly WrittenEntry[]): readonly Finding[] {
  const seen = new Set<string>();
  return models.flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [
      {
        code: "lock.duplicate-name",
        path: ["models", index, "name"],
        message: `${quote(name)} is locked twice`,
        remedy: `remove one of the two, or run \`holdfast lock ${name}\``,
      },
    ];
  });
}

function decodeWritten(written: WrittenLock): LockFile {
  const entries = written.models
    .map(decodeEntry)
    .map((entry) => ({ ...entry, artifacts: entry.artifacts.toSorted((a, b) => compareText(a.path, b.path)) }));
  return { version: 1, entries: entries.toSorted((a, b) => compareText(a.name, b.name)) };
}

function decodeEntry(written: WrittenEntry): LockEntry {
  const { name, source, artifacts, contentDigest, aggregateSha256 } = written;
  return { name, source: decodeSource(source), artifacts, contentDigest, aggregateSha256 };
}

function decodeSource({ ollama, huggingface }: WrittenSource): LockedSource {
  if (ollama !== undefined) return { kind: "ollama", ...ollama };
  return huggingface === undefined ? { kind: "path" } : { kind: "huggingface", ...huggingface };
}

/** For `--locked`: every point in which the lock file does not fit the manifests, each with the command that mends it. */
export function lockMismatches(desired: DesiredState, lock: LockFile): readonly Diagnostic[] {
  const declared = new Set(desired.models.map((model) => model.metadata.name));
  const models = desired.models.flatMap((model): readonly Diagnostic[] => {
    const { name, location } = model.metadata;
    const entry = lockEntryOf(lock, name);
    const problem =
      entry === undefined ? (model.lock.required ? "it must be locked and is missing from the lock file" : undefined) : lockMismatch(model, entry);
    if (problem === undefined) return [];
    const code = entry === undefined ? "lock.missing" : "lock.mismatch";
    const update = entry === undefined ? "" : " --update";
    return [{ severity: "error", code, message: `model ${quote(name)}: ${problem}`, location, remedy: `run \`holdfast lock ${name}${update}\`` }];
  });
  const orphans = lock.entries
    .filter((entry) => !declared.has(entry.name))
    .map((entry): Diagnostic => ({
      severity: "error",
      code: "lock.orphan",
      message: `${quote(entry.name)} is in the lock file, but no Model is called that`,
      remedy: `run \`holdfast unlock ${entry.name}\``,
    }));
  return [...sortDiagnostics(models), ...orphans];
}

/**
 * Writes the lock file: models sorted by name, artifacts by path, one line each, so that a changed file is a changed line in a review. Every value is
 * JSON (or, for manifests, a single-quoted text), which YAML reads as it is.
 */
export function encodeLock(lock: LockFile): string {
  const entries = lock.entries.toSorted((a, b) => compareText(a.name, b.name)).map(entryText);
  const head = [
    "# Holdfast lock file: the exact bytes of every locked model. Written by `holdfast lock`; review it, do not edit it.",
    `# yaml-language-server: $schema=${schemaAddress("lock")}`,
    `version: ${lock.version}`,
  ];
  return `${head.join("\n")}\nmodels:${entries.length === 0 ? " []\n" : `\n${entries.join("")}`}`;
}

function entryText(entry: LockEntry): string {
  const artifacts = entry.artifacts.toSorted((a, b) => compareText(a.path, b.path)).map(artifactLine);
  return `  - name: ${text(entry.name)}
    source:
${sourceText(entry.source)}
    contentDigest: ${text(entry.contentDigest)}
    aggregateSha256: ${text(entry.aggregateSha256)}
    artifacts:${artifacts.length === 0 ? " []\n" : `\n${artifacts.join("")}`}`;
}

function artifactLine({ path, size, sha256 }: Artifact): string {
  return `      - {"path": ${text(path)}, "size": ${size}, "sha256": ${text(sha256)}}\n`;
}

function sourceText(source: LockedSource): string {
  switch (source.kind) {
    case "path":
      return "      path: {}";
    case "ollama":
      return `      ollama:
        model: ${text(source.model)}
        manifestDigest: ${text(source.manifestDigest)}
        manifest: ${readable(source.manifest)}`;
    case "huggingface":
      return `      huggingface:
        repo: ${text(source.repo)}
        revision: ${text(source.revision)}
        commit: ${text(source.commit)}
        include: ${list(source.include)}
        exclude: ${list(source.exclude)}`;
  }
}

function list(items: readonly string[]): string {
  return `[${items.map(text).join(", ")}]`;
}

/** A JSON string in which everything that YAML or an editor could change is escaped. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Manifests are JSON in one line as a rule: in single quotes they need no backslashes. */
function readable(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) && !value.includes("'") ? `'${value}'` : text(value);
}
