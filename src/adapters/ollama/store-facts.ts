import { sha256 } from "../../domain/digest.ts";
import type { ModelFacts } from "../../domain/observed.ts";
import type { ModelHeaders } from "../../ports/model-headers.ts";
import { mapBounded } from "./bounded.ts";
import { recordOf } from "./decode.ts";
import { layersOfKind, type ManifestLayer } from "./manifest-text.ts";
import { factsOfConfig, factsOfLayers, mergeFacts, noFacts } from "./model-facts.ts";
import { readSmallFile } from "./small-file.ts";
import { blobPath } from "./store-layout.ts";
import type { StoredManifest } from "./store-scan.ts";

/** Facts of manifests on disk, and what is worth a warning on the way. */
export interface StoreFacts {
  readonly byRef: ReadonlyMap<string, ModelFacts>;
  readonly warnings: readonly string[];
}

/** Learns facts from config blobs, layer kinds and, with `headers`, weights headers. Each blob is read once: a digest keeps its content. */
export interface StoreFactReader {
  read(manifests: readonly StoredManifest[], signal: AbortSignal): Promise<StoreFacts>;
}

const maxConfigBytes = 1024 * 1024;
const parallelConfigs = 32;
const parallelHeaders = 4;

interface Learned {
  readonly facts: ModelFacts;
  readonly warning?: string;
}

export function createStoreFactReader(directory: string, headers: ModelHeaders | undefined): StoreFactReader {
  const configs = new Map<string, ModelFacts>();
  const weights = new Map<string, Learned>();

  const learnConfig = async (layer: ManifestLayer): Promise<void> => {
    const config = await readConfig(blobPath(directory, layer), layer);
    if (config !== undefined) configs.set(layer.sha256, factsOfConfig(config));
  };
  const learnWeights = async (layer: ManifestLayer, signal: AbortSignal): Promise<void> => {
    const finding = await headers?.inspectFile(blobPath(directory, layer), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      return { state: "other", error } as const;
    });
    if (finding?.state === "understood") weights.set(layer.sha256, { facts: finding.facts });
    if (finding?.state === "malformed") weights.set(layer.sha256, { facts: noFacts, warning: finding.failure.message });
  };

  return {
    async read(manifests, signal) {
      const wantedConfigs = unseen(
        manifests.flatMap(({ document }) => document.content.config ?? []),
        configs,
      );
      await mapBounded(wantedConfigs, parallelConfigs, learnConfig);
      signal.throwIfAborted();
      const wantedWeights = headers === undefined ? [] : unseen(manifests.flatMap(firstWeights), weights);
      await mapBounded(wantedWeights, parallelHeaders, (layer) => learnWeights(layer, signal));
      const learned = manifests.map((manifest) => {
        const { config } = manifest.document.content;
        const header = weights.get(firstWeights(manifest)[0]?.sha256 ?? "");
        const fromConfig = configs.get(config?.sha256 ?? "") ?? noFacts;
        return { ref: manifest.ref, header, facts: mergeFacts(header?.facts ?? noFacts, factsOfLayers(manifest.document.content), fromConfig) };
      });
      return {
        byRef: new Map(learned.map(({ ref, facts }) => [ref, facts])),
        warnings: learned.flatMap(({ ref, header }) => (header?.warning === undefined ? [] : [`${ref}: ${header.warning}`])),
      };
    },
  };
}

function firstWeights(manifest: StoredManifest): readonly ManifestLayer[] {
  return layersOfKind(manifest.document.content, "model").slice(0, 1);
}

function unseen(layers: readonly ManifestLayer[], seen: ReadonlyMap<string, unknown>): readonly ManifestLayer[] {
  return [...new Map(layers.map((layer) => [layer.sha256, layer])).values()].filter((layer) => !seen.has(layer.sha256));
}

/** Only a config with the right hash is believed; a missing or damaged one shows as artifact state. */
async function readConfig(path: string, layer: ManifestLayer): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const found = await readSmallFile(path, maxConfigBytes);
    if (typeof found === "string" || sha256(found.bytes) !== layer.sha256) return undefined;
    return recordOf(JSON.parse(found.bytes.toString("utf8")));
  } catch {
    return undefined;
  }
}
