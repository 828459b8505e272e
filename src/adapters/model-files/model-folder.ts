import { HoldfastError } from "../../domain/failure.ts";
import type { ModelFacts } from "../../domain/observed.ts";
import type { HeaderFinding } from "../../ports/model-headers.ts";
import { parameterSize, present } from "./file-facts.ts";
import { describeFolder } from "./folder-facts.ts";
import { openFolder, type FolderFiles } from "./folder-files.ts";
import { isMalformed, malformed } from "./header-cursor.ts";
import { readShardIndex } from "./shard-index.ts";

/** What to look at, and how to look at one weights file. */
export interface FolderToInspect {
  readonly path: string;
  readonly files: readonly string[];
  readonly signal: AbortSignal;
  inspect(file: string): Promise<HeaderFinding>;
}

const shardName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/** Looks at every weights file of a folder and at the small files beside them. */
export async function inspectModelFolder(folder: FolderToInspect): Promise<HeaderFinding> {
  folder.signal.throwIfAborted();
  try {
    const files = await openFolder(folder.path, folder.files, folder.signal);
    const named = await readShardIndex(files, folder.signal);
    requireAll(named, files, "the shard index");
    const weights = await inspectWeights(files, folder);
    const described = await describeFolder(files);
    const facts = mergeFacts(described, mainWeights(weights, named));
    return facts.format === undefined && !files.has("config.json") ? { state: "other" } : { state: "understood", facts };
  } catch (error) {
    folder.signal.throwIfAborted();
    if (!isMalformed(error)) throw error;
    return { state: "malformed", failure: error.failure };
  }
}

/** Either all shards are here or, where a selection left the format out, none. */
function requireAll(shards: ReadonlySet<string>, files: FolderFiles, source: string): void {
  const missing = [...shards].filter((shard) => !files.has(shard));
  if (missing.length === 0 || missing.length === shards.size) return;
  throw malformed(`${source}: ${missing.length} of ${shards.size} shards are missing, the first is ${missing[0]}`);
}

async function inspectWeights(files: FolderFiles, folder: FolderToInspect): Promise<ReadonlyMap<string, ModelFacts>> {
  const weights = new Map<string, ModelFacts>();
  for (const path of files.paths.filter((file) => /\.(safetensors|gguf)$/i.test(file))) {
    const finding = await folder.inspect(await files.locate(path));
    if (finding.state === "malformed") throw new HoldfastError(finding.failure);
    if (finding.state === "understood") weights.set(path, finding.facts);
  }
  for (const path of weights.keys()) requireAll(ggufShards(path), files, path);
  return weights;
}

function ggufShards(path: string): ReadonlySet<string> {
  const [, prefix, , total] = shardName.exec(path) ?? [];
  const count = Number(total ?? 0);
  if (prefix === undefined || total === undefined || count > 1000) return new Set();
  return new Set(Array.from({ length: count }, (_, index) => `${prefix}-${String(index + 1).padStart(5, "0")}-of-${total}.gguf`));
}

/** Facts of the weights that a server would load: the indexed shards, else `model.safetensors`, else the first file that is a model. */
function mainWeights(weights: ReadonlyMap<string, ModelFacts>, named: ReadonlySet<string>): ModelFacts | undefined {
  const projectors = [...weights.values()].filter((facts) => facts.architecture === "clip");
  const models = [...weights.keys()].filter((path) => weights.get(path)?.architecture !== "clip");
  const indexed = models.filter((path) => named.has(path));
  const first = indexed[0] ?? models.find((path) => path === "model.safetensors") ?? models[0];
  const facts = first === undefined ? undefined : weights.get(first);
  if (first === undefined || facts === undefined) return projectors[0];
  const parts = indexed.length > 0 ? indexed : models.filter((path) => path === first || ggufShards(first).has(path));
  const capabilities = projectors.reduce((all, projector) => ({ ...all, ...projector.capabilities }), facts.capabilities);
  return { ...facts, ...countOf(parts.map((path) => weights.get(path))), capabilities };
}

/** Together, unless one part does not tell; a single file's own label is kept. */
function countOf(parts: readonly (ModelFacts | undefined)[]): Pick<ModelFacts, "parameterCount" | "parameterSize"> {
  if (parts.length === 1 || parts.some((part) => part?.parameterCount === undefined)) return {};
  const parameterCount = parts.reduce((sum, part) => sum + (part?.parameterCount ?? 0), 0);
  return { parameterCount, ...present("parameterSize", parameterSize(parameterCount)) };
}

/** What `config.json` says of a safetensors model is more exact than its header; a GGUF header knows better than files beside it. */
function mergeFacts(described: ModelFacts, weights: ModelFacts | undefined): ModelFacts {
  if (weights === undefined) return described;
  const capabilities = { ...described.capabilities, ...weights.capabilities };
  return weights.format === "gguf" ? { ...described, ...weights, capabilities } : { ...weights, ...described, capabilities };
}
