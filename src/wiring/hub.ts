import { readFileSync } from "node:fs";
import type { ArtifactHub } from "../ports/artifact-hub.ts";
import type { ModelReader, ModelWriter } from "../ports/model-store.ts";
import type { Settings } from "../settings.ts";
import type { SharedParts } from "./shared-parts.ts";

/** The Hub, its cache, and plain folders. */
export async function connectHub(
  folders: readonly string[],
  parts: SharedParts,
): Promise<{ readonly readers: readonly ModelReader[]; readonly writers: readonly ModelWriter[]; readonly hubs: readonly ArtifactHub[] }> {
  const [{ createHubCacheReader }, { createHubWriter }, { createHubArtifactHub }, { createDirectoryReader }] = await Promise.all([
    import("../adapters/huggingface/cache-reader.ts"),
    import("../adapters/huggingface/writer.ts"),
    import("../adapters/huggingface/artifact-hub.ts"),
    import("../adapters/directory/directory-reader.ts"),
  ]);
  const { settings, hasher, headers, disk, state } = parts;
  const connection = { endpoint: settings.huggingface.endpoint, token: () => hubToken(settings) };
  const cache = createHubCacheReader({ cacheDir: settings.huggingface.cache, hasher, headers, memory: state });
  const directory = createDirectoryReader({ folders: folders.map((ref) => ({ ref })), hasher, headers });
  const writer = {
    ...connection,
    cacheDir: settings.huggingface.cache,
    disk,
    hasher,
    hashCache: parts.hashCache,
    offline: settings.huggingface.offline,
    parallelFiles: settings.concurrency.downloads,
    stallTimeoutMs: settings.timeouts.stall,
  };
  return {
    readers: [cache, directory],
    writers: [
      createHubWriter({ ...writer, store: "huggingface", reader: cache }),
      createHubWriter({ ...writer, store: "directory", reader: directory }),
    ],
    hubs: [createHubArtifactHub({ ...connection, offline: settings.huggingface.offline })],
  };
}

/** The token at the moment it is needed; it is kept nowhere. */
function hubToken({ huggingface }: Settings): string | undefined {
  if (huggingface.token !== undefined) return huggingface.token;
  try {
    const text = readFileSync(huggingface.tokenFile, "utf8").trim();
    return text === "" ? undefined : text;
  } catch {
    return undefined;
  }
}
