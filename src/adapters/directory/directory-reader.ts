import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { ArtifactState, Holding, ModelFacts, UnreadableHolding, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import { isAbsolute } from "node:path";
import { scanFolder, type ScannedFolder } from "./folder-scan.ts";

export interface DirectoryReaderOptions {
  /** Absolute folders that manifests name; they need not exist. */
  readonly folders: readonly { readonly ref: string }[];
  readonly hasher: FileHasher;
  readonly headers: ModelHeaders | undefined;
}

/** Reads plain folders, filled by people or by a Hub client. */
export function createDirectoryReader({ folders, hasher, headers }: DirectoryReaderOptions): ModelReader {
  const describe = async (folder: ScannedFolder, request: ObserveRequest, signal: AbortSignal): Promise<{ holding: Holding; warnings: readonly string[] }> => {
    const level = request.level === "full" && request.refs?.includes(folder.ref) === false ? "stat" : request.level;
    const states = await prove(folder, level, hasher, request, signal);
    const { facts, warnings } = await factsOf(folder, headers, signal);
    const artifacts = folder.files.map(({ file: _, ...artifact }, index) => ({ ...artifact, found: states[index] ?? artifact.found }));
    const holding: Holding = {
      store: "directory",
      ref: folder.ref,
      names: [],
      ...(folder.commit === undefined ? {} : { contentId: folder.commit }),
      artifacts,
      facts,
      location: folder.ref,
      modifiedAt: new Date(folder.modifiedMs).toISOString(),
    };
    return { holding, warnings };
  };

  return {
    store: "directory",
    async observe(request, signal) {
      const described: { holding: Holding; warnings: readonly string[] }[] = [];
      const unreadable: UnreadableHolding[] = [];
      for (const ref of new Set(folders.map((folder) => folder.ref).toSorted(compareText))) {
        signal.throwIfAborted();
        try {
          const scanned = await scanAbsolute(ref);
          if (scanned !== undefined) described.push(await describe(scanned, request, signal));
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof HoldfastError)) throw error;
          unreadable.push({ store: "directory", ref, failure: error.failure });
        }
      }
      const [first] = unreadable;
      if (first !== undefined && unreadable.length === new Set(folders.map((folder) => folder.ref)).size) return { state: "unknown", store: "directory", failure: first.failure };
      return {
        state: "observed",
        store: "directory",
        complete: true,
        holdings: described.map(({ holding }) => holding),
        unreadable,
        warnings: described.flatMap(({ warnings }) => warnings),
      };
    },
    async inspect(ref, level, signal) {
      signal.throwIfAborted();
      const scanned = await scanAbsolute(ref);
      return scanned === undefined ? undefined : (await describe(scanned, { level }, signal)).holding;
    },
  };
}

async function scanAbsolute(ref: string): Promise<ScannedFolder | undefined> {
  if (!isAbsolute(ref)) throw failed("invalid-input", `${JSON.stringify(ref)} is not an absolute folder`);
  return scanFolder(ref);
}

/** State per file, undefined where looking closer would change nothing. */
async function prove(folder: ScannedFolder, level: VerificationLevel, hasher: FileHasher, { progress }: ObserveRequest, signal: AbortSignal): Promise<readonly (ArtifactState | undefined)[]> {
  const readable = folder.files.flatMap(({ file, size }, index) => (file === undefined ? [] : [{ index, path: file, size }]));
  if (level === "presence" || readable.length === 0) return [];
  const total = readable.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const states = await hasher.inspect(readable, level, signal, (bytes) => {
    done += bytes;
    progress?.({ type: "progress", id: folder.ref, phase: "hash", done, total });
  });
  const byIndex = new Map(readable.map(({ index }, position) => [index, states[position]]));
  return folder.files.map((_, index) => byIndex.get(index));
}

async function factsOf(folder: ScannedFolder, headers: ModelHeaders | undefined, signal: AbortSignal): Promise<{ facts: ModelFacts; warnings: readonly string[] }> {
  const none: ModelFacts = { capabilities: {} };
  const present = folder.files.filter((file) => file.file !== undefined).map((file) => file.path);
  if (headers === undefined) return { facts: none, warnings: [] };
  const finding = await headers.inspectFolder(folder.ref, present, signal);
  if (finding.state === "malformed") return { facts: none, warnings: [`${folder.ref}: ${finding.failure.message}`] };
  return { facts: finding.state === "understood" ? finding.facts : none, warnings: [] };
}
