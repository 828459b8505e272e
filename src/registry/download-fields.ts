import type { JsonObject } from "../domain/json.ts";
import type { Holding } from "../domain/observed.ts";
import { sameRef } from "../domain/placement.ts";
import type { RegistryEntry } from "./entry.ts";
import { modelArtifacts, type Integrity } from "./integrity.ts";
import { directoryChecksum } from "./legacy-digests.ts";
import type { ProjectionInput } from "./projection.ts";
import type { Subject } from "./subject.ts";

type DownloadKey =
  | "source"
  | "download_format"
  | "download_location"
  | "download_path"
  | "download_size_bytes"
  | "download_files"
  | "download_directory_checksum"
  | "downloaded_at"
  | "last_accessed";

interface Held {
  readonly subject: Subject;
  readonly holding: Holding;
  readonly integrity: Integrity;
  /** Ollama name, for models in an Ollama store. */
  readonly tag: string | undefined;
}

/** The keys that say where the bytes lie. */
export function downloadFields(held: Held, input: ProjectionInput): Pick<RegistryEntry, DownloadKey> {
  const { holding, integrity, tag } = held;
  const common = {
    download_location: input.settings.locations?.[holding.store] ?? null,
    download_size_bytes: integrity.bytes,
    downloaded_at: arrivalOf(holding, input),
    last_accessed: null,
  };
  return { ...common, ...(tag === undefined ? folderFields(held) : ollamaFields(holding, tag)) };
}

type PlaceKey = "source" | "download_format" | "download_path" | "download_files" | "download_directory_checksum";

/** ImageWorks takes an Ollama entry for valid only with an empty checksum, and hides it when the path starts with two slashes. */
function ollamaFields(holding: Holding, tag: string): Pick<RegistryEntry, PlaceKey> {
  const path = holding.location ?? `ollama:/${tag}`;
  return { source: null, download_format: formatOf(holding) ?? "gguf", download_path: path, download_files: [], download_directory_checksum: "" };
}

function folderFields(held: Held): Pick<RegistryEntry, PlaceKey> {
  const { holding, integrity, subject } = held;
  const artifacts = modelArtifacts(holding, subject.model);
  const path = holding.location ?? (holding.store === "directory" ? holding.ref : null);
  const checksum = integrity.state === "present" ? directoryChecksum(artifacts) : "";
  return {
    source: sourceOf(held, path, checksum),
    download_format: formatOf(holding) ?? null,
    download_path: path,
    download_files: artifacts.map((artifact) => artifact.path),
    download_directory_checksum: checksum,
  };
}

function formatOf({ facts }: Holding): string | undefined {
  return facts.format === "other" ? undefined : facts.format;
}

/** When it came here: `modifiedAt` moves with every pull that changes nothing, so what we remember goes first. */
function arrivalOf({ store, ref, modifiedAt }: Holding, { memory }: ProjectionInput): string | null {
  const owned = memory.inventory.find((item) => item.store === store && sameRef(store, item.ref, ref));
  const found = memory.discovered.find((item) => item.store === store && sameRef(store, item.ref, ref));
  return owned?.since ?? found?.firstSeen ?? modifiedAt ?? null;
}

function sourceOf({ subject, holding, integrity }: Held, path: string | null, checksum: string): JsonObject {
  const { model } = subject;
  const hashes = new Map(integrity.artifacts.files.map((file) => [file.path, file.sha256]));
  const held = holding.store === "huggingface" ? holding.ref.replace(/@[0-9a-f]{40}$/, "") : null;
  const repo = model?.source.kind === "huggingface" ? model.source.repo : held;
  const files = modelArtifacts(holding, model).map((artifact): JsonObject => {
    const sha256 = hashes.get(artifact.path);
    return { path: artifact.path, size: artifact.size, ...(sha256 === undefined ? {} : { sha256 }) };
  });
  return { huggingface_id: repo, format: holding.facts.format ?? null, path, size_bytes: integrity.bytes, directory_checksum: checksum, files };
}
