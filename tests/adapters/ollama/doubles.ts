import type { FileHasher } from "../../../src/ports/file-hasher.ts";
import type { FileIdentity, HashCache } from "../../../src/ports/hash-cache.ts";
import type { FactMemory } from "../../../src/adapters/ollama/show-facts.ts";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";

/** The real hasher with a cache in memory. */
export function memoryHasher(): FileHasher & { close(): Promise<void> } {
  return createFileHasher({ cache: memoryCache(), workers: 1, clock: { now: () => new Date().toISOString() } });
}

/** Remembers by kind and key, as the state store does. */
export function memoryFacts(): FactMemory {
  const entries = new Map<string, string>();
  return {
    async remembered(kind, keys) {
      return new Map(keys.flatMap((key) => (entries.has(`${kind}/${key}`) ? [[key, entries.get(`${kind}/${key}`) ?? ""] as const] : [])));
    },
    async remember(kind, more) {
      for (const [key, value] of more) entries.set(`${kind}/${key}`, value);
    },
  };
}

function memoryCache(): HashCache {
  const entries = new Map<string, { readonly sha256: string; readonly at: string }>();
  const keyOf = (file: FileIdentity): string => `${file.device}:${file.inode}:${file.size}:${file.mtimeNs}:${file.ctimeNs}`;
  return {
    lookup: (files) => files.map((file) => entries.get(keyOf(file))),
    remember(more) {
      for (const { file, sha256, at } of more) entries.set(keyOf(file), { sha256, at });
    },
  };
}
