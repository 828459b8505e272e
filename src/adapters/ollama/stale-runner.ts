import { mkdir, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failed, type HoldfastError } from "../../domain/failure.ts";
import type { Holding, LoadedModel } from "../../domain/observed.ts";
import { helperNameFor, replacedNameFor } from "./helper-names.ts";
import { layersOfKind, type ManifestContent, type ManifestLayer } from "./manifest-text.ts";
import { readListedName } from "./names.ts";
import { recallManifests } from "./remote-holdings.ts";
import type { FactMemory } from "./show-facts.ts";
import { unloadThrough, type UnloadSide } from "./unload.ts";

export interface StaleSide extends UnloadSide {
  /** The server's models directory, when this process can write it. */
  readonly directory?: string;
  /** Knows the manifests of what Holdfast saw or pulled earlier. */
  readonly facts: FactMemory;
}

/** A runner of an earlier content, and what the server has now. */
export interface StaleRunner {
  readonly ref: string;
  readonly runner: LoadedModel;
  /** What the name is now; undefined when it is gone. */
  readonly present: Holding | undefined;
  readonly others: readonly Holding[];
}

/** Nothing listens there; such a name is found and removed as a leftover when this process is killed. */
const nowhere = "127.0.0.1:1";

/**
 * Gets a runner out of memory whose name has other weights by now. Ollama keys runners by the path of their weights, so any name with those weights
 * reaches it: one that is still there, else a helper name. For that the weights need not exist any more, only a manifest that names them
 * (reference/ollama.md 2.3, 2.10).
 */
export async function unloadStale(side: StaleSide, stale: StaleRunner, signal: AbortSignal): Promise<void> {
  const { ref, runner, present, others } = stale;
  const { digest = "" } = runner;
  const weights = layersOfKind((await recallManifests([digest], side.facts)).get(digest)?.content ?? unknownManifest, "model").at(-1);
  const names = [...(present === undefined ? [] : [present]), ...others];
  const name = names.find((holding) => holding.contentId === digest || runs(holding, weights));
  if (name !== undefined) return unloadThrough(side, { ref, through: name.ref, digest }, signal);
  const { directory } = side;
  const config = present === undefined || directory === undefined ? undefined : configIn(present, directory);
  if (directory === undefined || weights === undefined || config === undefined) throw outOfReach(side, stale);
  const helper = replacedNameFor(helperNameFor(nowhere, digest));
  const path = manifestPathOf(directory, helper);
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(path, helperManifest(config, weights));
    await unloadThrough(side, { ref, through: helper, digest }, signal);
  } finally {
    await rm(path, { force: true });
    for (const folder of [dirname(path), dirname(dirname(path)), dirname(dirname(dirname(path)))]) await rmdir(folder).catch(() => undefined);
  }
}

/** The server reads the config of a name; the present one is there. Only a holding read from the directory says that the directory is the server's. */
function configIn({ artifacts, location }: Holding, directory: string): { readonly digest: string; readonly size: number } | undefined {
  const config = artifacts.find((artifact) => artifact.mediaType?.includes("container.image") === true);
  return config === undefined || location?.startsWith(directory) !== true ? undefined : { digest: config.path, size: config.size };
}

const unknownManifest: ManifestContent = { kind: "invalid", problem: "not known" };

function runs({ artifacts }: Holding, weights: ManifestLayer | undefined): boolean {
  return weights !== undefined && artifacts.some(({ path, mediaType }) => path === `sha256:${weights.sha256}` && mediaType === weights.mediaType);
}

/** The weights are only a path to the server. */
function helperManifest(config: { readonly digest: string; readonly size: number }, weights: ManifestLayer): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: { mediaType: "application/vnd.docker.container.image.v1+json", ...config },
    layers: [{ mediaType: weights.mediaType, digest: `sha256:${weights.sha256}`, size: weights.size }],
  });
}

function manifestPathOf(directory: string, helper: string): string {
  const name = readListedName(helper);
  if (name === undefined) throw failed("unsafe-path", `${JSON.stringify(helper)} is not a model name`);
  return join(directory, "manifests", name.host, name.namespace, name.model, name.tag);
}

function outOfReach({ api }: StaleSide, { ref, runner }: StaleRunner): HoldfastError {
  const { expiresAt } = runner;
  return failed(
    "unsupported",
    `${api.server.text} still runs an older content of ${ref} (${runner.digest?.slice(0, 12)}), which no name reaches any more`,
    {
      remedy: `restart the Ollama server, or wait until it expires${expiresAt === undefined ? "" : ` (${expiresAt})`}; where \`spec.store\` of the Backend can be written, Holdfast does it itself`,
    },
  );
}
