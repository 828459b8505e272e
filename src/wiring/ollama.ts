import type { Purpose } from "../app/host.ts";
import type { Backend } from "../domain/backend.ts";
import type { StoreId } from "../domain/observed.ts";
import type { ArtifactHub } from "../ports/artifact-hub.ts";
import type { ModelReader, ModelWriter } from "../ports/model-store.ts";
import type { SharedParts } from "./shared-parts.ts";

/** Never asked over plain HTTP, whatever a backend says about its own registry. */
const publicRegistry = "registry.ollama.ai";

/** Readers and writers of the declared Ollama backends, and the registry they pull from. */
export async function connectOllama(backends: readonly Backend[], purpose: Purpose, parts: SharedParts): Promise<{ readonly readers: readonly ModelReader[]; readonly writers: readonly ModelWriter[]; readonly hubs: readonly ArtifactHub[] }> {
  if (backends.length === 0) return { readers: [], writers: [], hubs: [] };
  const { createOllamaRegistryHub } = await import("../adapters/ollama/registry-hub.ts");
  const connected = await Promise.all(backends.map((backend) => connectBackend(backend, purpose, parts)));
  const insecure = backends.some((backend) => backend.insecureRegistry);
  return {
    readers: connected.map(({ reader }) => reader),
    writers: connected.flatMap(({ writer }) => (writer === undefined ? [] : [writer])),
    hubs: [createOllamaRegistryHub({ insecure: (host) => insecure && host !== publicRegistry })],
  };
}

async function connectBackend(backend: Backend, purpose: Purpose, parts: SharedParts): Promise<{ readonly reader: ModelReader; readonly writer?: ModelWriter }> {
  const store: StoreId = `ollama:${backend.metadata.name}`;
  const { hasher, headers, disk, settings, state } = parts;
  const { url, store: directory } = backend;
  if (directory !== undefined && (url === undefined || purpose === "disk")) {
    const { createOllamaStoreReader } = await import("../adapters/ollama/store-reader.ts");
    return { reader: createOllamaStoreReader({ store, directory, hasher, headers }) };
  }
  const [{ createOllamaServerReader }, { createOllamaWriter }] = await Promise.all([import("../adapters/ollama/server-reader.ts"), import("../adapters/ollama/writer.ts")]);
  const place = { store, url: url ?? settings.ollama.url, ...(directory === undefined ? {} : { directory }) };
  const reader = createOllamaServerReader({ ...place, hasher, facts: state, timeoutMs: settings.timeouts.observe });
  return { reader, writer: createOllamaWriter({ ...place, reader, disk, hasher, stallTimeoutMs: settings.timeouts.stall, insecureRegistry: backend.insecureRegistry }) };
}
