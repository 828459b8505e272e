import type { RoleClaim } from "../model.ts";
import { canonicalOllamaName, parseOllamaName } from "../ollama-name.ts";
import type { Instant } from "../resource.ts";

/** A model as selection sees it: declared, discovered, or named by a registry file of somebody else. */
export interface Candidate {
  readonly name: string;
  readonly displayName: string;
  /** What its backend calls it. */
  readonly servedId: string;
  readonly aliases: readonly string[];
  /** Names that it had in the registry before. */
  readonly earlierNames: readonly string[];
  readonly roles: readonly RoleClaim[];
  /** Canonical name -> value; a name that is not there is not a capability of the model. */
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** Where each capability is known from: `manifest`, `probe`, `show`, `header`, ...; not there = a default. */
  readonly provenance: Readonly<Record<string, string>>;
  /** Tokens, as observed. */
  readonly contextLength?: number;
  /** `ollama`, `vllm`, `lmdeploy`, `gguf`, `remote`, `unassigned` or a word of a later version. */
  readonly backendType: string;
  /** Name of the Backend; undefined when no manifest declares it. */
  readonly backend?: string;
  /** Base URL for OpenAI requests; undefined when nothing says where the model is served. */
  readonly endpoint?: string;
  readonly deprecated?: { readonly reason?: string; readonly replacedBy?: string };
  readonly testing: boolean;
  /** What was seen of its files. */
  readonly held: "present" | "incomplete" | "corrupt" | "missing" | "unknown" | "remote";
  /** True when what is here is plainly not what the lock says. */
  readonly againstLock?: boolean;
  /** Memory it needs, in MiB, as far as that can be told. */
  readonly vramMb?: number;
  readonly quantization?: string;
  readonly lastUsed?: Instant;
}

/** What a look at one backend found. */
export type BackendSight =
  | {
      readonly name: string;
      readonly type: string;
      readonly url: string;
      readonly state: "up";
      /** As `liveKey` makes them. */ readonly ids: ReadonlySet<string>;
    }
  | { readonly name: string; readonly type: string; readonly url: string; readonly state: "down"; readonly reason: string };

/** Equal for ids that mean the same model to a backend: Ollama adds defaults and ignores case. */
export function liveKey(backendType: string, id: string): string {
  if (backendType !== "ollama") return id;
  const parsed = parseOllamaName(id);
  return ("name" in parsed ? canonicalOllamaName(parsed.name) : id).toLowerCase();
}

/** By what a name led to a model. */
export type FoundBy = "name" | "served-id" | "alias" | "earlier-name";

const ways: readonly { readonly by: FoundBy; readonly fits: (candidate: Candidate, name: string, key: string) => boolean }[] = [
  { by: "name", fits: (candidate, name) => candidate.name === name },
  {
    by: "served-id",
    fits: (candidate, name, key) =>
      candidate.servedId === name || (candidate.backendType === "ollama" && liveKey("ollama", candidate.servedId) === key),
  },
  { by: "alias", fits: (candidate, name) => candidate.aliases.includes(name) },
  { by: "earlier-name", fits: (candidate, name) => candidate.earlierNames.includes(name) },
];

export type Lookup =
  | { readonly state: "found"; readonly candidate: Candidate; readonly by: FoundBy }
  | { readonly state: "ambiguous"; readonly names: readonly string[] }
  | { readonly state: "absent" };

/** Finds a model by its name, else by what its backend calls it, else by an alias, else by a name from before; of several, those in use go first. */
export function findCandidate(candidates: readonly Candidate[], name: string): Lookup {
  const key = liveKey("ollama", name);
  for (const { by, fits } of ways) {
    const fitting = candidates.filter((candidate) => fits(candidate, name, key));
    const active = fitting.filter((candidate) => candidate.deprecated === undefined);
    const [candidate, ...others] = active.length > 0 ? active : fitting;
    if (candidate === undefined) continue;
    return others.length === 0
      ? { state: "found", candidate, by }
      : { state: "ambiguous", names: [candidate, ...others].map((each) => each.name).toSorted() };
  }
  return { state: "absent" };
}
