import { isAbsolute } from "node:path";
import { compareText } from "../../domain/diagnostic.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { ArtifactState, Holding, ModelFacts, Observation, UnreadableHolding, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import type { ModelReader, ObserveRequest } from "../../ports/model-store.ts";
import { scanFolder, type ScannedFolder } from "./folder-scan.ts";

export interface DirectoryReaderOptions {
  /** Absolute folders that manifests name; they need not exist. */
  readonly folders: readonly { readonly ref: string }[];
  readonly hasher: FileHasher;
  readonly headers: ModelHeaders | undefined;
}

interface Described {
  readonly holding: Holding;
  readonly warnings: readonly string[];
}

/** Reads plain folders, filled by people or by a Hub client. */
export function createDirectoryReader(options: DirectoryReaderOptions): ModelReader {
  return {
    store: "directory",
    observe: (request, signal) => observeFolders(options, request, signal),
    async inspect(ref, level, signal) {
      signal.throwIfAborted();
      return (await describeFolder(ref, { level }, options, signal))?.holding;
    },
  };
}

async function observeFolders(options: DirectoryReaderOptions, request: ObserveRequest, signal: AbortSignal): Promise<Observation> {
  const refs = [...new Set(options.folders.map((folder) => folder.ref))].toSorted(compareText);
  const described: Described[] = [];
  const unreadable: UnreadableHolding[] = [];
  for (const ref of refs) {
    signal.throwIfAborted();
    try {
      const found = await describeFolder(ref, request, options, signal);
      if (found !== undefined) described.push(found);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      unreadable.push({ store: "directory", ref, failure: error.failure });
    }
  }
  const [first] = unreadable;
  // Not one folder could be looked at: that says nothing about the store.
  if (first !== undefined && unreadable.length === refs.length) return { state: "unknown", store: "directory", failure: first.failure };
  const holdings = described.map(({ holding }) => holding);
  return { state: "observed", store: "directory", complete: true, holdings, unreadable, warnings: described.flatMap(({ warnings }) => warnings) };
}

type Options = DirectoryReaderOptions;

async function describeFolder(ref: string, request: ObserveRequest, options: Options, signal: AbortSignal): Promise<Described | undefined> {
  if (!isAbsolute(ref)) throw failed("invalid-input", `${JSON.stringify(ref)} is not an absolute folder`);
  const folder = await scanFolder(ref);
  if (folder === undefined) return undefined;
  const states = await prove(folder, request, options.hasher, signal);
  const { facts, warnings } = await factsOf(folder, options.headers, signal);
  const holding: Holding = {
    store: "directory",
    ref,
    names: [],
    ...(folder.commit === undefined ? {} : { contentId: folder.commit }),
    artifacts: folder.files.map(({ file: _, ...artifact }, index) => ({ ...artifact, found: states.get(index) ?? artifact.found })),
    facts,
    location: ref,
    modifiedAt: new Date(folder.modifiedMs).toISOString(),
  };
  return { holding, warnings };
}

type StatesByPlace = ReadonlyMap<number, ArtifactState>;

/** States by place in the list, of the files where looking closer tells more. */
async function prove(folder: ScannedFolder, request: ObserveRequest, hasher: FileHasher, signal: AbortSignal): Promise<StatesByPlace> {
  const level: VerificationLevel = request.level === "full" && request.refs?.includes(folder.ref) === false ? "stat" : request.level;
  const readable = folder.files.flatMap(({ file, size }, index) => (file === undefined ? [] : [{ index, path: file, size }]));
  if (level === "presence" || readable.length === 0) return new Map();
  const total = readable.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const states = await hasher.inspect(readable, level, signal, (bytes) => {
    done += bytes;
    request.progress?.({ type: "progress", id: folder.ref, phase: "hash", done, total });
  });
  return new Map(states.flatMap((state, place) => (readable[place] === undefined ? [] : [[readable[place].index, state] as const])));
}

async function factsOf(folder: ScannedFolder, headers: ModelHeaders | undefined, signal: AbortSignal): Promise<FolderFacts> {
  const none: ModelFacts = { capabilities: {} };
  if (headers === undefined) return { facts: none, warnings: [] };
  const present = folder.files.filter((file) => file.file !== undefined).map((file) => file.path);
  const finding = await headers.inspectFolder(folder.ref, present, signal);
  if (finding.state === "malformed") return { facts: none, warnings: [`${folder.ref}: ${finding.failure.message}`] };
  return { facts: finding.state === "understood" ? finding.facts : none, warnings: [] };
}

interface FolderFacts {
  readonly facts: ModelFacts;
  readonly warnings: readonly string[];
}
