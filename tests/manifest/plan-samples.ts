import type { Action, Blocked, Bookkeeping, Plan, Precondition, PullRequest, Work } from "../../src/domain/action.ts";
import { planDigest } from "../../src/domain/plan/plan.ts";

const digest = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c";
const at = "2026-11-21T11:50:02.000Z";
const location = { file: "manifests/chat.yaml", line: 4, column: 9 };
const store = "ollama:local";
const ref = "registry.ollama.ai/library/qwen3:8b";
const ollamaPull = { kind: "ollama", model: ref, digest, pin: { manifest: "{}\n", digest } } as const;
const hubPull = {
  kind: "huggingface",
  repo: "Qwen/Qwen3-8B",
  commit: "9c1d33e0b7a1f2d3c4b5a697887766554433221f",
  files: [
    { path: "config.json", size: 663, blobId: "9c1d33e0b7a1f2d3c4b5a697887766554433221f" },
    { path: "model.safetensors", size: 5, sha256: digest },
  ],
  layout: "dir",
  dir: "/srv/models/Qwen/Qwen3-8B",
  refs: ["holdfast/qwen3-8b"],
} as const satisfies PullRequest;

/** One of each kind of work that a plan can hold. */
export const everyWork: readonly Work[] = [
  { verb: "pull", request: ollamaPull },
  { verb: "pull", request: { kind: "ollama", model: ref } },
  { verb: "pull", request: hubPull },
  { verb: "repair", request: { ...ollamaPull, bad: [`sha256:${digest}`] } },
  { verb: "repair", request: { ...hubPull, bad: ["model.safetensors"] } },
  { verb: "tag", request: { from: ref, to: ref, digest } },
  { verb: "purge", request: { ref, contentId: digest, quarantine: true } },
  { verb: "purge", request: { ref, quarantine: false } },
  { verb: "hash" },
  { verb: "hash", expected: { "model.safetensors": digest } },
  { verb: "deprecate", because: "not-in-manifests" },
  { verb: "import" },
  { verb: "undeprecate" },
  { verb: "forget" },
  { verb: "activate", backend: "vllm", model: "qwen25-vl-7b" },
  { verb: "activate", backend: "vllm", model: "qwen25-vl-7b", restore: true, target: digest, argv: ["vllm", "serve"] },
  { verb: "deactivate", backend: "vllm" },
];

const preconditions: readonly Precondition[] = [
  { kind: "absent", store, ref },
  { kind: "unchanged", store: "huggingface", ref, fingerprint: digest },
  { kind: "not-loaded", store: "directory", ref },
];

const bookkeeping: readonly Bookkeeping[] = [
  {
    kind: "own",
    item: {
      name: "m",
      store,
      ref,
      contentId: digest,
      revision: "main",
      contentDigest: digest,
      origin: "pulled",
      since: at,
      sizeBytes: 5,
      protect: false,
      purgeAfter: 1000,
    },
  },
  { kind: "own", item: { name: "m", store, ref, origin: "adopted", since: at, sizeBytes: 0, protect: true } },
  { kind: "disown", name: "m", store, ref },
  { kind: "deprecate", deprecation: { name: "m", store, ref, since: at, reason: "lifecycle", confirmations: 1 } },
  { kind: "undeprecate", store, ref },
  { kind: "discover", model: { store, ref, name: "m", firstSeen: at } },
  { kind: "undiscover", store, ref },
  { kind: "bury", tombstone: { name: "m", store, ref, contentId: digest, sizeBytes: 5, purgedAt: at, quarantine: "q" } },
  { kind: "verified", verification: { name: "m", at, level: "full", contentDigest: digest } },
  { kind: "suspect", suspicion: { store, fingerprint: digest, firstSeen: at } },
  { kind: "unsuspect", store },
];

const blocked: readonly Blocked[] = [
  {
    object: "store/huggingface",
    cause: "unknown",
    reason: "not readable",
    failure: { code: "permission", retry: "terminal", message: "read the cache", remedy: "chmod" },
    remedy: "doctor",
    location,
  },
  { object: "model/m", cause: "policy", reason: "licence" },
  { object: `holding/${store}/${ref}`, cause: "guard", reason: "brake" },
];

/** A plan that has everything a plan can have. */
export function fullPlan(): Plan {
  const actions = everyWork.map((work, index): Action => ({
    id: `a${index + 1}`,
    verb: work.verb,
    object: index % 2 === 0 ? "model/qwen3-8b" : `holding/${store}/${ref}`,
    name: "qwen3-8b",
    store,
    ref,
    cause: "missing",
    reason: "not in the store",
    risk: "low",
    bytesToDownload: 5_583_457_280,
    sizeUnknown: false,
    bytesToFree: 0,
    work,
    preconditions: index === 0 ? preconditions : [],
    dependsOn: index === 0 ? [] : ["a1"],
    ...(index === 0 ? { location, declared: { protect: true, purgeAfter: 1000, revision: "main" } } : {}),
  }));
  const body = {
    formatVersion: "1.0",
    toolVersion: "0.1.0",
    createdAt: at,
    revision: { commit: "9c1d33e", dirty: false, digest },
    lockDigest: digest,
    actions,
    blocked,
    bookkeeping,
    summary: { actions: { pull: 3 }, blocked: 3, unknown: 0, unchanged: 0, unmanaged: 0, bytesToDownload: 5, bytesToFree: 0, destructive: 2 },
  } as const;
  return { ...body, digest: planDigest(body) };
}
