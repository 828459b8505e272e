import type { HashCache } from "../../../src/ports/hash-cache.ts";

/** A cache that ends with the test. */
export function createMemoryHashCache(): HashCache {
  const known = new Map<string, { readonly sha256: string; readonly at: string }>();
  return {
    lookup: (files) => files.map((file) => known.get(JSON.stringify(file))),
    remember(entries) {
      for (const { file, sha256, at } of entries) known.set(JSON.stringify(file), { sha256, at });
    },
  };
}
