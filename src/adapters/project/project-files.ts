import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { extname } from "node:path/posix";
import { compareText, type Diagnostic } from "../../domain/diagnostic.ts";
import { sha256, type Sha256 } from "../../domain/digest.ts";
import type { TextFile } from "../../ports/project-source.ts";

/** Folders and files of a project, relative to its root with `/` separators. */
export interface ProjectPaths {
  readonly manifests: string;
  readonly policies: string;
  readonly lock: string;
  readonly curated: string;
}

/** A file as it was read, with what is needed to compare it with a commit. */
export interface ReadFile extends TextFile {
  readonly bytes: Uint8Array;
  /** Path below the real root with all links resolved, `/` separators. */
  readonly realPath: string;
}

/** Everything that was read of a project. */
export interface Reading {
  readonly manifests: readonly ReadFile[];
  readonly policies: readonly ReadFile[];
  readonly lock?: ReadFile | undefined;
  readonly curated?: ReadFile | undefined;
  readonly problems: readonly Diagnostic[];
}

const mebibyte = 1024 * 1024;

/** Bounds on what people write, and on what Holdfast or others generate. */
export const limits = { manifestBytes: mebibyte, generatedBytes: 64 * mebibyte, files: 2_000 } as const;

/** True for the name of a manifest or policy file; what is hidden is not meant for us. */
export function isYamlName(name: string): boolean {
  return !isIgnoredName(name) && [".yaml", ".yml"].includes(extname(name));
}

/** True for names that are passed over with everything below them. */
export function isIgnoredName(name: string): boolean {
  return name.startsWith(".") || name === "node_modules";
}

/** The paths as git wants them, each once, without those that git knows nothing of. */
export function placesOf({ manifests, policies, lock, curated }: ProjectPaths): readonly string[] {
  const inside = [manifests, policies, lock, curated].filter((path) => !isOutside(path));
  return [...new Set(inside.map((path) => (path === "" ? "." : path)))];
}

/** True for a path that is not below the project root. */
export function isOutside(path: string): boolean {
  return path === ".." || path.startsWith("../") || isAbsolute(path);
}

/** True when a path is a folder or lies below it; `.` has everything below it. */
export function isBelow(folder: string, path: string): boolean {
  return folder === "." || folder === "" || path === folder || path.startsWith(`${folder}/`);
}

/** Identity of the input: SHA-256 over `path \\0 sha256 \\n`, sorted by path. */
export function digestOf(files: readonly Pick<ReadFile, "path" | "bytes">[]): Sha256 {
  const lines = files.toSorted((a, b) => compareText(a.path, b.path)).map(({ path, bytes }) => `${path}\0${sha256(bytes)}\n`);
  return sha256(lines.join(""));
}

/** Decodes strictly; undefined when the bytes are not UTF-8. A byte order mark is dropped. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The name git gives to a file's content, in the format of the repository (SHA-1 or SHA-256). */
export function gitBlobId(bytes: Uint8Array, format: "sha1" | "sha256"): string {
  return createHash(format).update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** A finding about a file as a whole. */
export function problem(file: string, code: string, message: string, remedy?: string): Diagnostic {
  const location = { file, line: 1, column: 1 };
  return { severity: "error", code, message, location, ...(remedy === undefined ? {} : { remedy }) };
}

/** The finding about a file above its limit. */
export function tooLarge(path: string, size: number, limit: number): Diagnostic {
  return problem(path, "file.too-large", `${path} has ${size} bytes, more than the ${limit} that are read`, "split it into several files");
}

/** The finding about a file that is no text. */
export function notUtf8(path: string): Diagnostic {
  return problem(path, "file.not-utf8", `${path} is not valid UTF-8`, "save it as UTF-8");
}

/** The finding about manifests that nobody would miss if nothing were said: without their folder, a project is valid and empty. */
export function noManifests(folder: string): Diagnostic {
  const message = `the manifests folder ${folder} does not exist`;
  return { ...problem(folder, "project.no-manifests", message, "run `holdfast init`, or correct paths.manifests"), severity: "warning" };
}

/** The finding about more files than are read. */
export function tooManyFiles(folder: string): Diagnostic {
  return problem(folder, "project.too-many-files", `more than ${limits.files} YAML files below ${folder}`, "put several documents into one file");
}
