import { failed, HoldfastError } from "../../domain/failure.ts";
import { isCorrupt } from "../../domain/fingerprint.ts";
import type { Holding, ObservedArtifact } from "../../domain/observed.ts";
import { blobsOf, type ManifestDocument } from "./manifest-text.ts";
import { hasUnknownLayers } from "./remote-holdings.ts";
import type { WriterSide } from "./writer-side.ts";

/** What must be there after a pull. */
export interface Expectation {
  readonly ref: string;
  readonly digest: string | undefined;
  /** The manifest that was to be fetched; the same layers under another digest are the same model. */
  readonly offered: ManifestDocument | undefined;
}

/** A fresh look at what a pull left, every byte read. Throws when it is not the model that was meant; bad files come back as artifact states. */
export async function lookAtPulled(side: WriterSide, { ref, digest, offered }: Expectation, signal: AbortSignal): Promise<Holding> {
  const found = await side.reader.inspect(ref, "full", signal);
  if (found === undefined)
    throw failed("upstream", `${side.api.server.text} said success, but does not list ${ref}`, {
      retry: "transient",
      remedy: "look at the log of the Ollama server",
    });
  if ("failure" in found) throw new HoldfastError(found.failure);
  const isMeant =
    digest === undefined || found.contentId === digest || (offered !== undefined && offered.digest === digest && hasLayersOf(found, offered));
  if (isMeant) return found;
  throw failed("integrity", `${ref} has the manifest ${found.contentId} after the pull, not ${digest}: the tag has moved meanwhile`, {
    remedy: "look at what is offered now with `holdfast plan`, and accept it with `holdfast lock --update`",
  });
}

/** True when the manifest says what to run: weights here or, for a stub, somewhere else. */
export function isRunnable(holding: Holding): boolean {
  if (holding.facts.remoteHost !== undefined) return true;
  if (hasUnknownLayers(holding)) return holding.artifacts.some((artifact) => artifact.size > 0);
  return holding.artifacts.some(({ mediaType }) => mediaType?.endsWith(".image.model") === true || mediaType?.endsWith(".image.tensor") === true);
}

/** Files that are missing, short, unreadable or have other bytes than their digest says. */
export function badArtifacts(holding: Holding): readonly ObservedArtifact[] {
  return holding.artifacts.filter((artifact) => artifact.found.state !== "present" || isCorrupt(artifact));
}

/** The failure that names bad files. */
export function badFiles(holding: Holding, bad: readonly ObservedArtifact[]): HoldfastError {
  const told = bad.map(
    (artifact) =>
      `${artifact.path} (${isCorrupt(artifact) && "sha256" in artifact.found ? `has SHA-256 ${artifact.found.sha256}` : artifact.found.state})`,
  );
  return failed("integrity", `${holding.ref} is not whole after the pull: ${told.join(", ")}`, {
    remedy: "run again; if it stays, check the disk and the way to the registry",
  });
}

function hasLayersOf(holding: Holding, { content }: ManifestDocument): boolean {
  if (content.kind !== "image") return false;
  const wanted = new Set(blobsOf(content).map((layer) => `sha256:${layer.sha256}`));
  return holding.artifacts.length === wanted.size && holding.artifacts.every((artifact) => wanted.has(artifact.path));
}
