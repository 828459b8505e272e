import { join } from "node:path";
import type { ModelSource } from "../domain/model.ts";
import { parseOllamaName } from "../domain/ollama-name.ts";
import type { DecodeOptions, Decoded } from "./decode-context.ts";
import type { Finding } from "./finding.ts";
import { isHubRepo, revisionProblem } from "./hub-names.ts";
import { quote } from "./quote.ts";
import { dangerousDirReason, resolveDir } from "./resolve-dir.ts";
import type { WrittenHuggingface, WrittenSource } from "./written/model.ts";
import type { Segment } from "./yaml-document.ts";

const at: readonly Segment[] = ["spec", "source"];

/** Decodes the one source that the schema has made sure of. */
export function decodeSource(written: WrittenSource, options: DecodeOptions): Decoded<ModelSource> {
  if (written.ollama !== undefined) return decodeOllama(written.ollama.model);
  if (written.huggingface !== undefined) return decodeHuggingface(written.huggingface, options);
  if (written.path !== undefined) {
    const findings: Finding[] = [];
    return { value: { kind: "path", dir: ownDir(written.path.dir, [...at, "path", "dir"], options, findings) }, findings };
  }
  return { value: { kind: "remote" }, findings: [] };
}

function decodeOllama(model: string): Decoded<ModelSource> {
  const parsed = parseOllamaName(model);
  const path = [...at, "ollama", "model"];
  const findings =
    "name" in parsed
      ? []
      : [{ code: "source.ollama-name", path, message: `${quote(model)} is not a name that Ollama takes: ${parsed.problem}`, remedy: parsed.remedy }];
  return { value: { kind: "ollama", model }, findings };
}

function decodeHuggingface(written: WrittenHuggingface, options: DecodeOptions): Decoded<ModelSource> {
  const { repo, revision, include, exclude, layout } = written;
  const path = [...at, "huggingface"];
  const findings: Finding[] = [...repoFindings(repo), ...revisionFindings(revision)];
  if (layout === "cache" && written.dir !== undefined) {
    findings.push({
      code: "source.dir-with-cache",
      path: [...path, "dir"],
      at: "key",
      message: "dir has no meaning with layout cache",
      remedy: "add layout: dir, or remove dir",
    });
  }
  const base = { kind: "huggingface", repo, revision, include, exclude } as const;
  if (layout === "cache") return { value: { ...base, layout }, findings };
  const dir =
    written.dir === undefined ? join(options.defaultModelsDir, ...repo.split("/")) : ownDir(written.dir, [...path, "dir"], options, findings);
  return { value: { ...base, layout, dir }, findings };
}

function ownDir(text: string, path: readonly Segment[], options: DecodeOptions, findings: Finding[]): string {
  const resolved = resolveDir(text, options);
  if ("problem" in resolved) {
    findings.push({ code: "path.unknown-home", path, message: `${quote(text)} ${resolved.problem}`, remedy: resolved.remedy });
    return text;
  }
  const reason = dangerousDirReason(resolved.dir, options);
  if (reason !== undefined)
    findings.push({ code: "path.dangerous", path, message: `${quote(text)} ${reason}`, remedy: "use a folder of its own for each model" });
  return resolved.dir;
}

function repoFindings(repo: string): readonly Finding[] {
  if (isHubRepo(repo)) return [];
  const address = /^https?:\/\/[^/]+\/([^/]+\/[^/?#]+)/.exec(repo)?.[1];
  const remedy = address === undefined ? "write org/name as the Hub shows it: letters, digits, -, _ and . only" : `write ${address}`;
  return [{ code: "source.hub-repo", path: [...at, "huggingface", "repo"], message: `${quote(repo)} is not a repository of the Hub`, remedy }];
}

function revisionFindings(revision: string): readonly Finding[] {
  const path = [...at, "huggingface", "revision"];
  const reason = revisionProblem(revision);
  if (reason !== undefined)
    return [
      {
        code: "source.hub-revision",
        path,
        message: `the revision ${quote(revision)} ${reason}`,
        remedy: "write a branch, a tag or the 40 digits of a commit",
      },
    ];
  if (!/^[0-9a-f]{7,39}$/.test(revision)) return [];
  return [
    {
      severity: "warning",
      code: "source.short-commit",
      path,
      message: `the revision ${quote(revision)} looks like a shortened commit, which the Hub does not resolve`,
      remedy: "write all 40 digits",
    },
  ];
}
