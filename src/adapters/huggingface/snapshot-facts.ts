import { toFailure } from "../../domain/failure.ts";
import { sha256 } from "../../domain/digest.ts";
import { canonicalJson } from "../../domain/json.ts";
import type { ModelFacts, VerificationLevel } from "../../domain/observed.ts";
import type { HeaderFinding, ModelHeaders } from "../../ports/model-headers.ts";
import type { StateStore } from "../../ports/state-store.ts";
import type { ScannedSnapshot } from "./cache-scan.ts";
import { decodeFacts } from "./facts-decode.ts";
import { mapParallel } from "./parallel.ts";

/** Small values that survive the process. */
export type FactsMemory = Pick<StateStore, "remembered" | "remember">;

export interface FactsOptions {
  readonly headers: ModelHeaders | undefined;
  readonly memory?: FactsMemory;
  readonly level: VerificationLevel;
  readonly signal: AbortSignal;
}

export interface SnapshotFacts {
  readonly facts: ModelFacts;
  readonly warnings: readonly string[];
}

const kind = "hub-facts";
const parallelHeaders = 4;
const unknownFacts: ModelFacts = { capabilities: {} };

/**
 * Facts of every snapshot. A commit never changes, so its headers are read once and remembered by commit and files; without a memory they are read
 * only when bytes are looked at anyway.
 */
export async function readFacts(snapshots: readonly ScannedSnapshot[], options: FactsOptions): Promise<readonly SnapshotFacts[]> {
  const { headers, memory, level, signal } = options;
  if (headers === undefined || (memory === undefined && level === "presence")) return snapshots.map(() => ({ facts: unknownFacts, warnings: [] }));
  const keys = snapshots.map(keyOf);
  const remembered = (await memory?.remembered(kind, keys)) ?? new Map<string, string>();
  const learned = new Map<string, string>();
  const facts = await mapParallel([...snapshots.entries()], parallelHeaders, signal, async ([index, snapshot]): Promise<SnapshotFacts> => {
    const key = keys[index] ?? "";
    const known = decodeFacts(remembered.get(key));
    if (known !== undefined) return { facts: known, warnings: [] };
    const finding = await inspectSnapshot(headers, snapshot, signal);
    if (finding.state === "malformed") return { facts: unknownFacts, warnings: [`${snapshot.ref}: ${finding.failure.message}`] };
    const found = finding.state === "understood" ? finding.facts : unknownFacts;
    learned.set(key, canonicalJson(found));
    return { facts: found, warnings: [] };
  });
  if (learned.size > 0) await memory?.remember(kind, learned);
  return facts;
}

/** Headers that cannot be read cost the facts, not the listing. */
async function inspectSnapshot(headers: ModelHeaders, { folder, files }: ScannedSnapshot, signal: AbortSignal): Promise<HeaderFinding> {
  const present = files.filter((file) => file.file !== undefined).map((file) => file.path);
  try {
    return await headers.inspectFolder(folder, present, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { state: "malformed", failure: toFailure(error) };
  }
}

function keyOf(snapshot: ScannedSnapshot): string {
  return `${snapshot.ref}:${sha256(snapshot.files.map((file) => `${file.path}\0${file.found.state}\0${file.size}\n`).join(""))}`;
}
