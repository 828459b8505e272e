import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sha256 } from "../domain/digest.ts";
import { parseOllamaName } from "../domain/ollama-name.ts";
import { findFile } from "./list-files.ts";
import type { FoundFile } from "./mirror-file.ts";

/** A manifest as it lies in the store; its digest is that of these bytes. */
export interface StoredManifest {
  readonly bytes: Buffer;
  readonly digest: Sha256;
  readonly mediaType: string;
}

/** The Ollama models below the mirrored folder. */
export interface OllamaFolder {
  /** Names as `namespace/model:tag`, sorted. */
  models(): Promise<readonly string[]>;
  /** By tag, or by `sha256:<hex>` of a manifest of that model. */
  manifest(namespace: string, model: string, reference: string): Promise<StoredManifest | undefined>;
  blob(digest: Sha256): Promise<FoundFile | undefined>;
}

const mostManifestBytes = 4 * 1024 * 1024;
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
const publicRegistry = "registry.ollama.ai";

/** `manifests/` and `blobs/` of an Ollama store, in the mirrored folder itself or in its folder `ollama`. */
export function ollamaFolder(root: string): OllamaFolder {
  const stores = [root, join(root, "ollama")];
  const read = async (store: string, parts: readonly string[]): Promise<StoredManifest | undefined> => {
    const file = await findFile(root, join(store, "manifests", ...parts), parts.join("/"));
    return file === undefined || file.size > mostManifestBytes ? undefined : describe(await readFile(file.absolute));
  };
  const firstManifest = async (
    namespace: string,
    model: string,
    accept: (tag: string, found: StoredManifest) => boolean,
    tags?: readonly string[],
  ) => {
    for (const store of stores) {
      for (const host of await hostsOf(store)) {
        const candidates = tags ?? (await names(join(store, "manifests", host, namespace, model)));
        const found = await firstAccepted(candidates, (tag) => read(store, [host, namespace, model, tag]), accept);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return {
    models: async () => {
      const found = await Promise.all(stores.map(listModels));
      return [...new Set(found.flat())].toSorted();
    },
    manifest: async (namespace, model, reference) => {
      const digest = /^sha256:([0-9a-f]{64})$/.exec(reference)?.[1];
      const tag = digest === undefined ? reference : "latest";
      if ("problem" in parseOllamaName(`${namespace}/${model}:${tag}`)) return undefined;
      if (digest !== undefined) return firstManifest(namespace, model, (_, found) => found.digest === digest);
      return firstManifest(namespace, model, () => true, [tag]);
    },
    blob: async (digest) => {
      for (const store of stores) {
        // Stores from before 2024 have a colon in the name.
        for (const separator of ["-", ":"]) {
          const file = await findFile(root, join(store, "blobs", `sha256${separator}${digest}`), digest);
          if (file !== undefined) return file;
        }
      }
      return undefined;
    },
  };
}

/** The public registry first: a name is asked for without the host it came from. */
async function hostsOf(store: string): Promise<readonly string[]> {
  const hosts = await names(join(store, "manifests"));
  return hosts.toSorted((a, b) => Number(b === publicRegistry) - Number(a === publicRegistry) || (a < b ? -1 : 1));
}

async function listModels(store: string): Promise<readonly string[]> {
  const entries = await readdir(join(store, "manifests"), { recursive: true }).catch((): string[] => []);
  return entries.flatMap((entry) => {
    const [, namespace, model, tag, ...rest] = entry.split("/");
    const complete = tag !== undefined && rest.length === 0 && !("problem" in parseOllamaName(`${namespace}/${model}:${tag}`));
    return complete ? [`${namespace}/${model}:${tag}`] : [];
  });
}

async function names(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder).catch((): string[] => []);
  return entries.filter((entry) => !entry.startsWith(".")).toSorted();
}

function describe(bytes: Buffer): StoredManifest {
  return { bytes, digest: createHash("sha256").update(bytes).digest("hex"), mediaType: mediaTypeOf(bytes) };
}

function mediaTypeOf(bytes: Buffer): string {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    const declared = typeof value === "object" && value !== null && "mediaType" in value ? value.mediaType : undefined;
    return typeof declared === "string" && /^[\w.+/-]{1,200}$/.test(declared) ? declared : dockerManifest;
  } catch {
    return dockerManifest;
  }
}

/** The first of several tags whose manifest is there and accepted; the others are not read. */
async function firstAccepted(
  tags: readonly string[],
  read: (tag: string) => Promise<StoredManifest | undefined>,
  accept: (tag: string, found: StoredManifest) => boolean,
): Promise<StoredManifest | undefined> {
  for (const tag of tags) {
    const found = await read(tag);
    if (found !== undefined && accept(tag, found)) return found;
  }
  return undefined;
}
