import { isSha256, sha256, type Sha256 } from "../../domain/digest.ts";
import { isRecord } from "./decode.ts";

/** No manifest in use comes near this; anything larger is not read. */
export const maxManifestBytes = 16 * 1024 * 1024;

/** Config or layer of a manifest. */
export interface ManifestLayer {
  readonly sha256: Sha256;
  /** Name of the file below `blobs/`, spelled as the manifest spells it. */
  readonly fileName: string;
  readonly size: number;
  readonly mediaType: string;
}

export type ManifestContent =
  | { readonly kind: "image"; readonly config?: ManifestLayer; readonly layers: readonly ManifestLayer[] }
  /** Several manifests in one; no released server reads it (reference/ollama.md 1.9). */
  | { readonly kind: "list" }
  | { readonly kind: "invalid"; readonly problem: string };

export interface ManifestDocument {
  readonly content: ManifestContent;
  /** What `/api/tags` calls the digest. */
  readonly digest: Sha256;
  /** The bytes that the digest covers, as text; undefined when they are not UTF-8. */
  readonly text?: string;
}

const layerPrefix = "application/vnd.ollama.image.";
const blobDigest = /^sha256[:-]([0-9a-fA-F]{64})$/;

/** Reads a manifest the way Ollama does: the first JSON value counts, what follows does not. */
export function readManifest(bytes: Uint8Array): ManifestDocument {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOfJson(buffer);
  const hashed = buffer.subarray(0, decoderBoundary(end, buffer.length));
  const text = hashed.toString("utf8");
  const content = decodeContent(buffer.toString("utf8", 0, end));
  return { content, digest: sha256(hashed), ...(Buffer.from(text).equals(hashed) ? { text } : {}) };
}

/** Config and layers, every digest once. */
export function blobsOf(content: Extract<ManifestContent, { kind: "image" }>): readonly ManifestLayer[] {
  const all = content.config ? [content.config, ...content.layers] : content.layers;
  return [...new Map(all.map((layer) => [layer.sha256, layer])).values()];
}

/** Layers of one Ollama kind: `model`, `tensor`, `template`, `projector`, ... */
export function layersOfKind(content: ManifestContent, kind: string): readonly ManifestLayer[] {
  return content.kind === "image" ? content.layers.filter((layer) => layer.mediaType === layerPrefix + kind) : [];
}

/** True when the manifest has something to run. */
export function hasWeights(content: ManifestContent): boolean {
  return layersOfKind(content, "model").length > 0 || layersOfKind(content, "tensor").length > 0;
}

/**
 * Ollama hashes what its JSON decoder has read. The decoder reads up to 512, 1536, 3584, ... bytes, so bytes after the end of the value count only
 * as far as the read that reached the end (reference/ollama.md 1.5).
 */
function decoderBoundary(end: number, length: number): number {
  let boundary = 512;
  while (boundary < end) boundary = 2 * boundary + 512;
  return Math.min(boundary, length);
}

/** Offset just behind the first JSON value, or the length when there is no complete one. */
function endOfJson(buffer: Buffer): number {
  let depth = 0;
  for (let at = 0; at < buffer.length; at++) {
    const character = String.fromCharCode(buffer[at] ?? 0);
    if (character === '"') at = endOfString(buffer, at);
    if (character === "{" || character === "[") depth += 1;
    if (character !== "}" && character !== "]") continue;
    depth -= 1;
    if (depth === 0) return at + 1;
  }
  return buffer.length;
}

/** Offset of the quote that ends the string which begins at `start`. */
function endOfString(buffer: Buffer, start: number): number {
  const [quote, backslash] = [0x22, 0x5c];
  let at = start + 1;
  while (at < buffer.length && buffer[at] !== quote) at += buffer[at] === backslash ? 2 : 1;
  return at;
}

function decodeContent(json: string): ManifestContent {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { kind: "invalid", problem: json.trim() === "" ? "it is empty" : "it is not JSON" };
  }
  if (!isRecord(value)) return { kind: "invalid", problem: "it is not a JSON object" };
  if (Array.isArray(value["manifests"])) return { kind: "list" };
  const layers: unknown[] = Array.isArray(value["layers"]) ? value["layers"] : [];
  const config = value["config"];
  const hasConfig = isRecord(config) && config["digest"] !== undefined && config["digest"] !== "";
  return decodeImage(hasConfig ? config : undefined, layers);
}

function decodeImage(config: unknown, layers: readonly unknown[]): ManifestContent {
  const decoded = layers.map(decodeLayer);
  const decodedConfig = config === undefined ? undefined : decodeLayer(config);
  const problem = [...decoded, decodedConfig].find((item) => typeof item === "string");
  if (problem !== undefined) return { kind: "invalid", problem };
  const good = decoded.filter((item) => typeof item === "object");
  return { kind: "image", layers: good, ...(typeof decodedConfig === "object" ? { config: decodedConfig } : {}) };
}

function decodeLayer(value: unknown): ManifestLayer | string {
  if (!isRecord(value)) return "a layer is not an object";
  const digest = String(value["digest"]);
  const hex = blobDigest.exec(digest)?.[1];
  if (hex === undefined || !isSha256(hex.toLowerCase()))
    return `a layer has the digest ${JSON.stringify(digest.slice(0, 100))}, which is not sha256:<64 hex digits>`;
  const size = value["size"] ?? 0;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return `the layer ${digest.slice(0, 19)} has no usable size`;
  const mediaType = typeof value["mediaType"] === "string" ? value["mediaType"] : "";
  return { sha256: hex.toLowerCase(), fileName: `sha256-${hex}`, size, mediaType };
}
