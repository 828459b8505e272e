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

type States = ReadonlyMap<Item, ArtifactState>;

/** What a Git id says about a file: the SHA-256 it stands for, or that the bytes have another id. */
type GitVerdict = { readonly sha256: Sha256 } | { readonly otherId: string };

/** Larger files are kept in LFS by the Hub. */
const largestGitFile = 16 * 1024 * 1024;

/** The files of every snapshot at the level asked for, in their order. */
export async function proveFiles(snapshots: readonly ScannedSnapshot[], options: ProofOptions): Promise<readonly (readonly ObservedArtifact[])[]> {
  const items = snapshots.map((snapshot) => snapshot.files.map((file): Item => ({ file, level: options.levelOf(snapshot.ref) })));
  const flat = items.flat();
  const states = new Map([...(await inspectAt("stat", flat, options)), ...(await inspectAt("full", flat, options))]);
  const verdicts = await judgeGitFiles(flat, states, options);
  return items.map((files) => files.map((item) => artifactOf(item.file, states.get(item), verdicts.get(item))));
}

async function inspectAt(level: "stat" | "full", items: readonly Item[], options: ProofOptions): Promise<States> {
  const { hasher, progress, signal } = options;
  const wanted = items.flatMap((item) => {
    const { file: path, size } = item.file;
    return item.level === level && path !== undefined ? [{ item, path, size }] : [];
  });
  if (wanted.length === 0) return new Map();
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  const meter = progress === undefined ? undefined : createMeter({ id: "huggingface", phase: "hash", total, progress }, 0);
  const states = await hasher.inspect(
    wanted.map(({ path, size }) => ({ path, size })),
    level,
    signal,
    meter?.add,
  );
  return new Map(wanted.flatMap(({ item }, index) => stateAt(states, index).map((state) => [item, state] as const)));
}

function stateAt(states: readonly ArtifactState[], index: number): readonly ArtifactState[] {
  const state = states[index];
  return state === undefined ? [] : [state];
}

/**
 * Files outside LFS carry only a Git id. What was proven against it once has a known SHA-256 from then on, so that a later change is found like any
 * other; what is seen for the first time is proven now, at level `full`.
 */
async function judgeGitFiles(items: readonly Item[], states: States, options: ProofOptions): Promise<ReadonlyMap<Item, GitVerdict>> {
  const candidates = items.flatMap((item) => (item.file.gitId === undefined ? [] : [{ item, gitId: item.file.gitId }]));
  const known = await lookUp([...new Set(candidates.map(({ gitId }) => gitId))], options.known);
  const verdicts = new Map<Item, GitVerdict>();
  const learned = new Map<string, string>();
  for (const { item, gitId } of candidates) {
    const sha256 = known.get(gitId) ?? learned.get(gitId);
    const verdict = sha256 === undefined ? await proveGitFile(item, states.get(item), options.signal) : { sha256 };
    if (verdict === undefined) continue;
    verdicts.set(item, verdict);
    if ("sha256" in verdict && !known.has(gitId)) learned.set(gitId, verdict.sha256);
  }
  if (learned.size > 0) await options.known?.remember(learned);
  return verdicts;
}

async function lookUp(gitIds: readonly string[], known: KnownBlobs | undefined): Promise<ReadonlyMap<string, Sha256>> {
  const remembered = (await known?.lookup(gitIds)) ?? new Map<string, string>();
  return new Map([...remembered].filter(([, sha256]) => isSha256(sha256)));
}

async function proveGitFile({ file: scanned, level }: Item, state: ArtifactState | undefined, signal: AbortSignal): Promise<GitVerdict | undefined> {
  const { file, size, gitId } = scanned;
  if (file === undefined || level !== "full" || size > largestGitFile || state?.state !== "present") return undefined;
  const digests = await hashGitFile(file, size, signal);
  return digests.gitId === gitId ? { sha256: digests.sha256 } : { otherId: digests.gitId ?? "" };
}

function artifactOf(scanned: ScannedFile, state: ArtifactState | undefined, verdict: GitVerdict | undefined): ObservedArtifact {
  const { path, size, blob, declaredSha256, gitId, found } = scanned;
  if (verdict !== undefined && "otherId" in verdict) {
    const message = `${path}: the name of its blob says Git id ${gitId}, its bytes have ${verdict.otherId}`;
    return { path, size, blob, found: { state: "unreadable", failure: failed("integrity", message).failure } };
  }
  const declared = declaredSha256 ?? verdict?.sha256;
  return { path, size, blob, ...(declared === undefined ? {} : { declaredSha256: declared }), found: state ?? found };
}
