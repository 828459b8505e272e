import { contractOf, type RoleContract } from "../role-contract.ts";
import { canonicalCapability } from "../capability-name.ts";
import type { Role } from "../role.ts";
import type { ChosenProfile } from "./profile.ts";
import { liveKey, type BackendSight, type Candidate } from "./candidate.ts";

/** What is asked of a selection. */
export interface SelectionRequest {
  /** Name, served id, alias, role, `ROLE/default`, `ROLE/MODEL`, `role/ROLE` or `model/NAME`. */
  readonly asked: string;
  /** Capabilities, in any spelling. */
  readonly requires: readonly string[];
  /** Tokens. */
  readonly minContext?: number;
  /** A wish, not a demand. */
  readonly prefer?: string;
  /** Name or type of the backend. */
  readonly backend?: string;
  readonly includeDeprecated: boolean;
  readonly includeTesting: boolean;
  readonly priority: "higher-wins" | "lower-wins";
}

/** Everything that selection depends on; equal inputs give equal answers. */
export interface SelectionWorld {
  readonly candidates: readonly Candidate[];
  readonly roles: readonly Role[];
  readonly profile?: ChosenProfile;
  /** By name; undefined = nobody looked, so reachability does not count. */
  readonly backends?: ReadonlyMap<string, BackendSight>;
}

/** Why a model may not be chosen. */
export interface Hurdle {
  readonly kind: "filtered" | "lacks-capability" | "not-installed" | "unreachable";
  readonly message: string;
  readonly remedy?: string;
  /** Canonical names of what it cannot do. */
  readonly missing?: readonly string[];
}

/** The demands of a request, together with those of a role. */
export function demandsOf(request: SelectionRequest, roleName: string | undefined, roles: readonly Role[]): RoleContract {
  const role =
    roleName === undefined
      ? { name: "", requires: [] }
      : contractOf(
          roleName,
          roles.find((each) => each.metadata.name === roleName),
        );
  const minContext = Math.max(request.minContext ?? 0, "minContext" in role ? (role.minContext ?? 0) : 0);
  return {
    name: role.name,
    requires: [...new Set([...role.requires, ...request.requires.map(canonicalCapability)])],
    ...(minContext === 0 ? {} : { minContext }),
  };
}

/** The first thing that keeps a model from being chosen, or undefined. Deprecation keeps it only out of choices by role. */
export function hurdleOf(candidate: Candidate, demands: RoleContract, request: SelectionRequest, world: SelectionWorld): Hurdle | undefined {
  return filtered(candidate, request, world) ?? lacking(candidate, demands) ?? absent(candidate) ?? offline(candidate, request.asked, world);
}

function filtered(candidate: Candidate, request: SelectionRequest, { profile }: SelectionWorld): Hurdle | undefined {
  const { name } = candidate;
  if (candidate.testing && !request.includeTesting)
    return { kind: "filtered", message: `${name} is a test model`, remedy: "--include-testing, or IMAGEWORKS_INCLUDE_TEST_MODELS=1, lets it in" };
  return elsewhere(candidate, request.backend) ?? tooLarge(candidate, profile);
}

function elsewhere({ name, backend, backendType }: Candidate, wanted: string | undefined): Hurdle | undefined {
  if (wanted === undefined || wanted === backend || wanted === backendType) return undefined;
  return { kind: "filtered", message: `${name} is on ${backend ?? backendType}, not on ${wanted}`, remedy: "leave --backend out" };
}

function tooLarge({ name, vramMb = 0, held }: Candidate, chosen: ChosenProfile | undefined): Hurdle | undefined {
  if (chosen?.limits !== true || held === "remote" || vramMb <= chosen.profile.maxVramMb) return undefined;
  const { profile, reason } = chosen;
  const message = `${name} needs ${vramMb} MiB, and the profile ${profile.name} (${reason}) allows ${profile.maxVramMb}`;
  return { kind: "filtered", message, remedy: "--profile none ignores profiles; IMAGEWORKS_DEPLOYMENT_PROFILE names another" };
}

function lacking({ name, capabilities, contextLength, provenance }: Candidate, { requires, minContext = 0 }: RoleContract): Hurdle | undefined {
  const missing = requires.filter((capability) => capabilities[capability] !== true);
  if (missing.length > 0) {
    const undecided = missing.every((capability) => provenance[capability] === undefined);
    const remedy = undecided
      ? "nothing says whether it can: holdfast probe-vision, or capabilities in its manifest, decides it"
      : "choose another model, or correct the capabilities in its manifest after making sure that they are true";
    return { kind: "lacks-capability", message: `capability error: ${name} cannot do ${missing.join(", ")}`, remedy, missing };
  }
  if (contextLength === undefined || contextLength >= minContext) return undefined;
  return {
    kind: "lacks-capability",
    message: `capability error: ${name} has a context of ${contextLength} tokens, and ${minContext} are needed`,
    remedy: "choose a model with a larger context",
    missing: ["context"],
  };
}

/** Ollama's own listing says best what it has, so files count only where no server is asked. */
function absent({ name, held, againstLock, backendType }: Candidate): Hurdle | undefined {
  if (held === "missing")
    return {
      kind: "not-installed",
      message: `${name} is not on this machine`,
      remedy: backendType === "ollama" || backendType === "vllm" ? "holdfast reconcile fetches it" : "holdfast plan says what is to be done",
    };
  if (held === "incomplete" || held === "corrupt")
    return { kind: "not-installed", message: `the files of ${name} are ${held}`, remedy: "holdfast reconcile repairs it" };
  if (againstLock === true)
    return { kind: "not-installed", message: `${name} is not what its lock says`, remedy: `holdfast verify ${name} tells what differs` };
  return undefined;
}

function offline(candidate: Candidate, asked: string, { backends }: SelectionWorld): Hurdle | undefined {
  const { name, backend, backendType, endpoint } = candidate;
  if (endpoint === undefined)
    return { kind: "unreachable", message: `nothing says where ${name} is served`, remedy: "declare a Backend and name it in the model's manifest" };
  const sight = backend === undefined ? undefined : backends?.get(backend);
  if (sight === undefined) return undefined;
  if (sight.state === "down")
    return {
      kind: "unreachable",
      message: `${name} is served by ${sight.name} at ${sight.url}, and ${sight.reason}`,
      remedy: startRemedy(backendType, name),
    };
  if (modelIdOn(candidate, asked, sight) !== undefined) return undefined;
  if (backendType === "ollama")
    return {
      kind: "not-installed",
      message: `${sight.name} at ${sight.url} does not have ${candidate.servedId}`,
      remedy: "holdfast reconcile pulls it",
    };
  return {
    kind: "unreachable",
    message: `${sight.name} at ${sight.url} serves ${[...sight.ids].join(", ") || "nothing"}, not ${name}`,
    remedy: startRemedy(backendType, name),
  };
}

function startRemedy(backendType: string, name: string): string {
  if (backendType === "ollama") return "start it: ollama serve";
  return backendType === "remote" ? "check that the service is reachable from here" : `holdfast activate-model ${name}`;
}

/** The id to send to a backend (requirement S3.66): the first that it offers of what was asked for, the served id and the aliases. */
export function modelIdOn(candidate: Candidate, asked: string, sight: BackendSight | undefined): string | undefined {
  if (sight?.state !== "up") return candidate.servedId;
  return [asked, candidate.servedId, ...candidate.aliases].find((id) => sight.ids.has(liveKey(sight.type, id)));
}
