import { isSha256, type Sha256 } from "../../domain/digest.ts";
import type { LoadedModel, ModelFacts } from "../../domain/observed.ts";
import type { Instant } from "../../domain/resource.ts";
import { countOf, defined, instantOf, textOf, type Unknowns } from "./decode.ts";
import { factsOfListing } from "./model-facts.ts";
import { nameKey, refOfListed } from "./names.ts";

/** One line of `/api/tags`. */
export interface ListedModel {
  readonly ref: string;
  readonly digest: Sha256;
  /** Sum of the sizes in the manifest; not disk usage. */
  readonly size: number;
  readonly modifiedAt?: Instant;
  readonly facts: ModelFacts;
  /** A cloud model: a few hundred bytes here, no weights. */
  readonly stub: boolean;
}

/** Decodes `/api/tags`; what cannot be understood is left out with a warning, so that one odd line does not hide the rest. */
export function decodeListing(entries: readonly Unknowns[]): { readonly models: readonly ListedModel[]; readonly warnings: readonly string[] } {
  const decoded = entries.map(decodeListed);
  return { models: decoded.filter((item) => typeof item === "object"), warnings: decoded.filter((item) => typeof item === "string") };
}

/** Decodes `/api/ps` into loaded models by name key; one name may be listed with an older content, too. */
export function decodeRunning(entries: readonly Unknowns[]): ReadonlyMap<string, readonly LoadedModel[]> {
  return Map.groupBy(entries.flatMap(decodeLoaded), (loaded) => nameKey(loaded.ref));
}

function decodeListed(entry: Unknowns): ListedModel | string {
  const text = textOf(entry["name"]) ?? textOf(entry["model"]) ?? "";
  const ref = refOfListed(text);
  const digest = bareDigest(entry["digest"]);
  if (ref === undefined || digest === undefined) return `the server lists ${JSON.stringify(text.slice(0, 200))}, which has no usable name or digest`;
  const facts = factsOfListing(entry);
  const modifiedAt = instantOf(entry["modified_at"]);
  return {
    ref,
    digest,
    size: countOf(entry["size"]) ?? 0,
    facts,
    stub: facts.remoteHost !== undefined,
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
  };
}

function decodeLoaded(entry: Unknowns): readonly LoadedModel[] {
  const ref = refOfListed(textOf(entry["name"]) ?? textOf(entry["model"]) ?? "");
  if (ref === undefined) return [];
  const more = {
    digest: bareDigest(entry["digest"]),
    size: countOf(entry["size"]),
    expiresAt: instantOf(entry["expires_at"]),
    contextLength: countOf(entry["context_length"]),
  };
  return [{ ref, sizeVram: countOf(entry["size_vram"]) ?? 0, ...defined(more) }];
}

function bareDigest(value: unknown): Sha256 | undefined {
  const text = textOf(value)
    ?.replace(/^sha256:/, "")
    .toLowerCase();
  return text !== undefined && isSha256(text) ? text : undefined;
}
