import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The bytes of one model as an Ollama registry offers it. */
export interface OllamaSample {
  /** `namespace/model:tag`. */
  readonly name: string;
  readonly manifest: string;
  readonly digest: string;
  /** Bytes by bare hex digest; config first. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Digest of the weights layer. */
  readonly weights: string;
}

export interface SampleOptions {
  readonly name: string;
  /** Different seeds give different weights. */
  readonly seed: number;
  readonly size?: number;
  readonly family?: string;
  readonly license?: string;
  /** Text after the manifest's JSON, such as a newline. */
  readonly trailer?: string;
  /** Weights that are really a model; then `seed` and `size` say nothing about them. */
  readonly gguf?: Buffer;
}

export function hex(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Weights begin like a GGUF file and go on with bytes that depend on the seed; licence and template are the same unless they are chosen. */
export function makeSample({
  name,
  seed,
  size = 4096,
  family = "llama",
  license = "MIT License\n",
  trailer = "",
  gguf,
}: SampleOptions): OllamaSample {
  const weights = gguf ?? Buffer.alloc(size, `GGUF weights ${seed} `);
  weights.write("GGUF");
  const config = Buffer.from(
    JSON.stringify({ model_format: "gguf", model_family: family, model_families: [family], model_type: "7B", file_type: "Q4_K_M", seed }),
  );
  const parts: readonly (readonly [string, Buffer])[] = [
    ["model", weights],
    ["template", Buffer.from("{{ .Prompt }}")],
    ["license", Buffer.from(license)],
  ];
  const layers = parts.map(([kind, bytes]) => ({
    mediaType: `application/vnd.ollama.image.${kind}`,
    digest: `sha256:${hex(bytes)}`,
    size: bytes.length,
  }));
  const configLayer = { mediaType: "application/vnd.docker.container.image.v1+json", digest: `sha256:${hex(config)}`, size: config.length };
  const manifest =
    JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.docker.distribution.manifest.v2+json", config: configLayer, layers }) + trailer;
  return {
    name,
    manifest,
    digest: hex(manifest),
    blobs: new Map([config, ...parts.map(([, bytes]) => bytes)].map((bytes) => [hex(bytes), bytes])),
    weights: hex(weights),
  };
}

/** Path parts of the manifest file: host, namespace, model, tag. */
export function manifestParts(host: string, name: string): readonly string[] {
  const [path = "", tag = "latest"] = name.split(":");
  const [namespace = "library", model = ""] = path.includes("/") ? path.split("/") : ["library", path];
  return [host, namespace, model, tag];
}

/** Writes a sample into a models directory as a server would. */
export async function installSample(directory: string, host: string, sample: OllamaSample): Promise<string> {
  const path = join(directory, "manifests", ...manifestParts(host, sample.name));
  await mkdir(join(directory, "blobs"), { recursive: true });
  await mkdir(dirname(path), { recursive: true });
  for (const [digest, bytes] of sample.blobs) await writeFile(blobFile(directory, digest), bytes);
  await writeFile(path, sample.manifest);
  return path;
}

export function blobFile(directory: string, digest: string): string {
  return join(directory, "blobs", `sha256-${digest}`);
}
