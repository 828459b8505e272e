import { copyFile, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobFile, hex } from "./ollama-samples.ts";

export interface StoredLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface StoredModel {
  /** As the API shows it: defaults left out. */
  readonly name: string;
  readonly path: string;
  readonly digest: string;
  readonly modifiedAt: Date;
  readonly layers: readonly StoredLayer[];
  readonly config: StoredLayer | undefined;
}

const digestPattern = /^sha256[:-][0-9a-f]{64}$/i;

/** What a real server does with its models directory: everything is read again for every call, nothing is locked. */
export class ServerStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Rejects when any entry cannot be looked at, as the real one answers 500 to everything then. */
  async list(): Promise<readonly StoredModel[]> {
    const root = join(this.directory, "manifests");
    let folders = [root];
    for (let depth = 0; depth < 4; depth++) {
      const inner = await Promise.all(folders.map(async (folder) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name))));
      folders = inner.flat();
    }
    const models: StoredModel[] = [];
    for (const path of folders) {
      if ((await stat(path)).isDirectory()) continue;
      const model = await this.read(path).catch(() => undefined);
      if (model) models.push(model);
    }
    return models.toSorted((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime());
  }

  async find(name: string): Promise<StoredModel | undefined> {
    const wanted = this.pathOf(name).toLowerCase();
    const exact = await this.read(this.pathOf(name)).catch(() => undefined);
    if (exact) return exact;
    return (await this.list()).find((model) => model.path.toLowerCase() === wanted);
  }

  /** Where a name lies, with the spelling of a manifest that is there already. */
  async targetOf(name: string): Promise<string> {
    return (await this.find(name))?.path ?? this.pathOf(name);
  }

  async copy(source: StoredModel, destination: string): Promise<void> {
    const path = await this.targetOf(destination);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(source.path, path);
  }

  /** Removes the manifest, then every blob that no readable manifest names. */
  async remove(model: StoredModel): Promise<void> {
    await rm(model.path);
    await this.removeUnused(layersOf(model));
  }

  async removeUnused(layers: readonly StoredLayer[]): Promise<void> {
    const used = new Set((await this.list()).flatMap(layersOf).map((layer) => layer.digest));
    for (const { digest } of layers) if (!used.has(digest)) await rm(this.blob(digest), { force: true });
  }

  blob(digest: string): string {
    if (!digestPattern.test(digest)) throw new Error(`invalid digest format ${digest}`);
    return blobFile(this.directory, digest.slice("sha256:".length));
  }

  async sizeOf(digest: string): Promise<number | undefined> {
    return stat(this.blob(digest)).then(
      (found) => found.size,
      () => undefined,
    );
  }

  async read(path: string): Promise<StoredModel> {
    const bytes = await readFile(path);
    const { end, value } = decodeFirst(bytes);
    const relative = path.slice(join(this.directory, "manifests").length + 1);
    const { mtime } = await stat(path);
    return {
      name: displayName(relative),
      path,
      digest: hex(bytes.subarray(0, end)),
      modifiedAt: mtime,
      layers: value.layers ?? [],
      config: value.config,
    };
  }

  private pathOf(name: string): string {
    return join(this.directory, "manifests", ...fullParts(name));
  }
}

export function layersOf(model: StoredModel): readonly StoredLayer[] {
  return model.config ? [...model.layers, model.config] : model.layers;
}

/** Host, namespace, model and tag of a name, defaults filled in. */
export function fullParts(name: string): readonly [string, string, string, string] {
  const colon = name.lastIndexOf(":");
  const hasTag = colon > name.lastIndexOf("/");
  const path = (hasTag ? name.slice(0, colon) : name).split("/");
  const tag = hasTag ? name.slice(colon + 1) : "latest";
  return [path.at(-3) ?? "registry.ollama.ai", path.at(-2) ?? "library", path.at(-1) ?? "", tag];
}

function displayName(relative: string): string {
  const [host, namespace, model, tag] = relative.split("/");
  if (host !== "registry.ollama.ai") return `${host}/${namespace}/${model}:${tag}`;
  return namespace === "library" ? `${model}:${tag}` : `${namespace}/${model}:${tag}`;
}

/** Reads in the steps of Go's decoder and stops at the step in which the value is complete. */
function decodeFirst(bytes: Buffer): { end: number; value: { layers?: readonly StoredLayer[]; config?: StoredLayer } } {
  for (let end = 512; ; end = 2 * end + 512) {
    const text = bytes.subarray(0, end).toString("utf8");
    for (let brace = text.indexOf("}"); brace >= 0; brace = text.indexOf("}", brace + 1)) {
      try {
        return { end: Math.min(end, bytes.length), value: JSON.parse(text.slice(0, brace + 1)) };
      } catch {
        continue;
      }
    }
    if (end >= bytes.length) throw new Error("EOF");
  }
}
