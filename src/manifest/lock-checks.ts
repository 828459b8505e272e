import { aggregateSha256, contentDigest, sha256, type Artifact } from "../domain/digest.ts";
import type { LockEntry } from "../domain/lock.ts";
import { canonicalOllamaName, parseOllamaName } from "../domain/ollama-name.ts";
import { unsafePathReason } from "../domain/safe-path.ts";
import type { Finding } from "./finding.ts";
import { isHubRepo, revisionProblem } from "./hub-names.ts";
import { quote } from "./quote.ts";
import type { Segment } from "./yaml-document.ts";

type EntryFinding = Omit<Finding, "path"> & { readonly path: readonly Segment[] };

/** Recomputes everything in the lock that follows from something else in it; paths start at the entry. */
export function lockEntryFindings(entry: LockEntry): readonly EntryFinding[] {
  const mend = `restore the file from Git, or run \`holdfast lock ${entry.name}\``;
  return [...digestFindings(entry), ...artifactFindings(entry), ...sourceFindings(entry)].map((finding) => ({ remedy: mend, ...finding }));
}

function digestFindings(entry: LockEntry): readonly EntryFinding[] {
  const findings: EntryFinding[] = [];
  if (contentDigest(entry.artifacts) !== entry.contentDigest) {
    findings.push({
      code: "lock.content-digest",
      path: ["contentDigest"],
      message: `the artifacts of ${quote(entry.name)} do not have this content digest: the lock file was changed by hand or in a merge`,
    });
  }
  if (aggregateSha256(entry.artifacts) !== entry.aggregateSha256) {
    findings.push({
      code: "lock.aggregate",
      path: ["aggregateSha256"],
      message: `the artifacts of ${quote(entry.name)} do not have this aggregate: the lock file was changed by hand or in a merge`,
    });
  }
  return findings;
}

function artifactFindings(entry: LockEntry): readonly EntryFinding[] {
  const seen = new Set<string>();
  return entry.artifacts.flatMap((artifact, index) => {
    const problem = seen.has(artifact.path) ? "is listed twice" : artifactProblem(artifact, entry.source.kind);
    seen.add(artifact.path);
    return problem === undefined
      ? []
      : [{ code: "lock.artifact", path: ["artifacts", index, "path"], message: `the artifact ${quote(artifact.path)} ${problem}` }];
  });
}

function artifactProblem({ path, sha256: digest }: Artifact, kind: LockEntry["source"]["kind"]): string | undefined {
  if (kind !== "ollama") return unsafePathReason(path);
  return path === `sha256:${digest}` ? undefined : `is not sha256:${digest}`;
}

function sourceFindings({ source, artifacts }: LockEntry): readonly EntryFinding[] {
  if (source.kind === "path") return [];
  const path = ["source", source.kind];
  if (source.kind === "huggingface") {
    const revision = revisionProblem(source.revision);
    return [
      ...(isHubRepo(source.repo)
        ? []
        : [{ code: "lock.source", path: [...path, "repo"], message: `${quote(source.repo)} is not a repository of the Hub` }]),
      ...(revision === undefined
        ? []
        : [{ code: "lock.source", path: [...path, "revision"], message: `the revision ${quote(source.revision)} ${revision}` }]),
    ];
  }
  const parsed = parseOllamaName(source.model);
  const canonical = "name" in parsed && canonicalOllamaName(parsed.name) === source.model;
  const name = canonical
    ? []
    : [{ code: "lock.source", path: [...path, "model"], message: `${quote(source.model)} is not a full Ollama name, host/namespace/model:tag` }];
  if (sha256(source.manifest) !== source.manifestDigest) {
    return [...name, { code: "lock.manifest-digest", path: [...path, "manifest"], message: "the manifest text does not have this digest" }];
  }
  const declared = manifestDigests(source.manifest);
  const listed = new Set(artifacts.map((artifact) => artifact.path));
  if (declared === undefined || (declared.size === listed.size && [...declared].every((digest) => listed.has(digest)))) return name;
  return [...name, { code: "lock.artifacts", path: ["artifacts"], message: "the artifacts are not the config and the layers of the manifest" }];
}

/** The digests of config and layers; undefined for a manifest of a form that is not known here. */
function manifestDigests(manifest: string): ReadonlySet<string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(manifest);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("config" in value)) return undefined;
  const layers: readonly unknown[] = "layers" in value && Array.isArray(value.layers) ? value.layers : [];
  const digests = [value.config, ...layers].map((part) => (typeof part === "object" && part !== null && "digest" in part ? part.digest : undefined));
  const texts = digests.filter((digest) => typeof digest === "string" && digest !== "");
  return texts.length === digests.length ? new Set(texts.map((digest) => String(digest).replace("sha256-", "sha256:"))) : undefined;
}
