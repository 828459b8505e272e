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
  const since = arrivalOf(holding, input);
  const common = {
    download_location: input.settings.locations?.[holding.store] ?? null,
    download_size_bytes: integrity.bytes,
    downloaded_at: since,
    last_accessed: null,
  };
  const format = holding.facts.format === "other" ? undefined : holding.facts.format;
  if (tag !== undefined) {
    // ImageWorks takes the entry for valid only with an empty checksum, and hides paths that start with two slashes.
    const path = holding.location ?? `ollama:/${tag}`;
    return { ...common, source: null, download_format: format ?? "gguf", download_path: path, download_files: [], download_directory_checksum: "" };
  }
  const artifacts = modelArtifacts(holding, held.subject.model);
  const path = holding.location ?? (holding.store === "directory" ? holding.ref : null);
  const checksum = integrity.state === "present" ? directoryChecksum(artifacts) : "";
  const files = artifacts.map((artifact) => artifact.path);
  return { ...common, source: sourceOf(held, path, checksum), download_format: format ?? null, download_path: path, download_files: files, download_directory_checksum: checksum };
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
  const repo = model?.source.kind === "huggingface" ? model.source.repo : holding.store === "huggingface" ? holding.ref.replace(/@[0-9a-f]{40}$/, "") : null;
  const files = modelArtifacts(holding, model).map((artifact): JsonObject => {
    const sha256 = hashes.get(artifact.path);
    return { path: artifact.path, size: artifact.size, ...(sha256 === undefined ? {} : { sha256 }) };
  });
  return { huggingface_id: repo, format: holding.facts.format ?? null, path, size_bytes: integrity.bytes, directory_checksum: checksum, files };
}
