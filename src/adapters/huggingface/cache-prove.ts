import { isSha256, type Sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import type { ArtifactState, ObservedArtifact, VerificationLevel } from "../../domain/observed.ts";
import type { FileHasher } from "../../ports/file-hasher.ts";
import type { ProgressSink } from "../../ports/progress.ts";
import type { ScannedFile, ScannedSnapshot } from "./cache-scan.ts";
import { createMeter } from "./meter.ts";
import { hashGitFile } from "./survey.ts";

/** SHA-256 of Git blobs that were proven once, by Git id. */
export interface KnownBlobs {
  lookup(gitIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  remember(entries: ReadonlyMap<string, string>): Promise<void>;
}

export interface ProofOptions {
  readonly hasher: FileHasher;
  readonly known: KnownBlobs | undefined;
  readonly levelOf: (ref: string) => VerificationLevel;
  readonly progress: ProgressSink | undefined;
  readonly signal: AbortSignal;
}

interface Item {
  readonly file: ScannedFile;
  readonly level: VerificationLevel;
}

/** Larger files are kept in LFS by the Hub. */
const largestGitFile = 16 * 1024 * 1024;

/** The files of every snapshot at the level asked for, in their order. */
export async function proveFiles(snapshots: readonly ScannedSnapshot[], options: ProofOptions): Promise<readonly (readonly ObservedArtifact[])[]> {
  const items = snapshots.map((snapshot) => snapshot.files.map((file): Item => ({ file, level: options.levelOf(snapshot.ref) })));
  const flat = items.flat();
  const states = new Map([...(await inspectAt("stat", flat, options)), ...(await inspectAt("full", flat, options))]);
  const declared = await declareGitFiles(flat, states, options);
  return items.map((files) => files.map((item) => artifactOf(item.file, states.get(item), declared.get(item))));
}

async function inspectAt(level: "stat" | "full", items: readonly Item[], { hasher, progress, signal }: ProofOptions): Promise<readonly (readonly [Item, ArtifactState])[]> {
  const wanted = items.filter((item) => item.level === level && item.file.file !== undefined);
  if (wanted.length === 0) return [];
  const total = wanted.reduce((sum, { file }) => sum + file.size, 0);
  const meter = progress === undefined ? undefined : createMeter({ id: "huggingface", phase: "hash", total, progress }, 0);
  const states = await hasher.inspect(wanted.map(({ file }) => ({ path: file.file ?? "", size: file.size })), level, signal, meter?.add);
  return wanted.flatMap((item, index) => [states[index] ?? []].flat().map((state) => [item, state] as const));
}

type GitVerdict = { readonly sha256: Sha256 } | { readonly wrong: string };

/**
 * Files outside LFS carry only a Git id. What was proven against it once has a known SHA-256 from then on, so that a later change is found like any other;
 * what is seen for the first time is proven now, at level `full`.
 */
async function declareGitFiles(items: readonly Item[], states: ReadonlyMap<Item, ArtifactState>, options: ProofOptions): Promise<ReadonlyMap<Item, GitVerdict>> {
  const candidates = items.filter(({ file }) => file.gitId !== undefined && file.declaredSha256 === undefined);
  const known = (await options.known?.lookup([...new Set(candidates.map(({ file }) => file.gitId ?? ""))])) ?? new Map<string, string>();
  const verdicts = new Map<Item, GitVerdict>();
  const learned = new Map<string, string>();
  for (const item of candidates) {
    const { gitId = "", file, size } = item.file;
    const sha256 = known.get(gitId) ?? learned.get(gitId);
    const state = states.get(item);
    if (sha256 !== undefined && isSha256(sha256)) verdicts.set(item, { sha256 });
    else if (file !== undefined && item.level === "full" && size <= largestGitFile && state?.state === "present") {
      const digests = await hashGitFile(file, size, options.signal);
      if (digests.gitId === gitId) learned.set(gitId, digests.sha256);
      verdicts.set(item, digests.gitId === gitId ? { sha256: digests.sha256 } : { wrong: digests.gitId ?? "" });
    }
  }
  if (learned.size > 0) await options.known?.remember(learned);
  return verdicts;
}

function artifactOf({ path, size, blob, declaredSha256, gitId, found }: ScannedFile, state: ArtifactState | undefined, verdict: GitVerdict | undefined): ObservedArtifact {
  const declared = declaredSha256 ?? (verdict !== undefined && "sha256" in verdict ? verdict.sha256 : undefined);
  const base = { path, size, blob, ...(declared === undefined ? {} : { declaredSha256: declared }) };
  if (verdict !== undefined && "wrong" in verdict) {
    return { ...base, found: { state: "unreadable", failure: failed("integrity", `${path}: the name of its blob says Git id ${gitId}, its bytes have ${verdict.wrong}`).failure } };
  }
  return { ...base, found: state ?? found };
}
