import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Connections, Purpose } from "../app/host.ts";
import type { Backend } from "../domain/backend.ts";
import type { StoreId } from "../domain/observed.ts";
import type { ModelRuntime } from "../ports/model-runtime.ts";
import type { ModelReader, ModelWriter } from "../ports/model-store.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { Settings } from "../settings.ts";
import type { SharedParts } from "./shared-parts.ts";

/** Never asked over plain HTTP, whatever a backend says about its own registry. */
const publicRegistries = new Set(["registry.ollama.ai", "ollama.com", "hf.co", "huggingface.co"]);

/** Readers and writers of the declared Ollama backends, and the registry they pull from. */
export async function connectOllama(
  backends: readonly Backend[],
  purpose: Purpose,
  parts: SharedParts,
): Promise<Pick<Connections, "readers" | "writers" | "runtimes" | "hubs">> {
  if (backends.length === 0) return { readers: [], writers: [], runtimes: [], hubs: [] };
  const { createOllamaRegistryHub } = await import("../adapters/ollama/registry-hub.ts");
  const connected = await Promise.all(backends.map((backend) => connectBackend(backend, purpose, parts)));
  const insecure = backends.some((backend) => backend.insecureRegistry);
  return {
    readers: connected.map(({ reader }) => reader),
    writers: connected.flatMap(({ writer }) => (writer === undefined ? [] : [writer])),
    runtimes: connected.flatMap(({ runtime }) => (runtime === undefined ? [] : [runtime])),
    hubs: [createOllamaRegistryHub({ insecure: (host) => insecure && !publicRegistries.has(host) })],
  };
}

async function connectBackend(
  backend: Backend,
  purpose: Purpose,
  parts: SharedParts,
): Promise<{ readonly reader: ModelReader; readonly writer?: ModelWriter; readonly runtime?: ModelRuntime }> {
  const store: StoreId = `ollama:${backend.metadata.name}`;
  const { hasher, headers, disk, settings } = parts;
  const { url } = backend;
  const directory = readableStore(backend, settings);
  if (directory !== undefined && (url === undefined || purpose === "disk")) {
    const { createOllamaStoreReader } = await import("../adapters/ollama/store-reader.ts");
    return { reader: createOllamaStoreReader({ store, directory, hasher, headers }) };
  }
  const [{ createOllamaServerReader }, { createOllamaWriter }, { createOllamaRuntime }] = await Promise.all([
    import("../adapters/ollama/server-reader.ts"),
    import("../adapters/ollama/writer.ts"),
    import("../adapters/ollama/runtime.ts"),
  ]);
  const facts = factsOf(parts);
  const place = { store, url: url ?? settings.ollama.url, facts, hasher, ...(directory === undefined ? {} : { directory }) };
  const reader = createOllamaServerReader({ ...place, timeoutMs: settings.timeouts.observe });
  return {
    reader,
    runtime: createOllamaRuntime({ ...place, reader }),
    writer: createOllamaWriter({ ...place, reader, disk, stallTimeoutMs: settings.timeouts.stall, insecureRegistry: backend.insecureRegistry }),
  };
}

/** The models folder of a backend: a declared one in any case, the default one only where it exists. The reader checks that it is this server's. */
function readableStore(backend: Backend, settings: Settings): string | undefined {
  const { url, store } = backend;
  if (url === undefined || (store !== undefined && store !== settings.ollama.store)) return store;
  const candidate = store ?? (isLoopback(url) ? settings.ollama.store : undefined);
  return candidate !== undefined && existsSync(join(candidate, "manifests")) ? candidate : undefined;
}

function isLoopback(url: string): boolean {
  return /^https?:\/\/(localhost|127\.|\[::1\])/.test(url);
}

/** What is remembered about manifests, with those of the lock on top: a server elsewhere shows none. */
function factsOf({ state, lock }: SharedParts): Pick<StateStore, "remembered" | "remember"> {
  const locked = new Map(lock.entries.flatMap(({ source }) => (source.kind === "ollama" ? [[source.manifestDigest, source.manifest] as const] : [])));
  return {
    remember: (kind, entries) => state.remember(kind, entries),
    async remembered(kind, keys) {
      const known = await state.remembered(kind, keys);
      if (kind !== "ollama-manifest") return known;
      return new Map([...known, ...keys.flatMap((key) => (locked.has(key) ? [[key, locked.get(key) ?? ""] as const] : []))]);
    },
  };
}
