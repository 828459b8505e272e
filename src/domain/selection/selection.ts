import { contractOf } from "../role-contract.ts";
import { findCandidate, type Candidate, type FoundBy } from "./candidate.ts";
import { demandsOf, hurdleOf, modelIdOn, type Hurdle, type SelectionRequest, type SelectionWorld } from "./hurdles.ts";
import { isCalled, roleOrder } from "./order.ts";

/** What became of one candidate, and why. */
export interface Judgement {
  readonly name: string;
  readonly outcome: "chosen" | "lost" | "excluded";
  readonly because: string;
}

/** The one model that answers a request. */
export interface Selected {
  readonly state: "selected";
  readonly asked: string;
  readonly by: FoundBy | "role";
  readonly role?: string;
  readonly candidate: Candidate;
  readonly endpoint: string;
  /** What to write as `model` in requests. */
  readonly modelId: string;
  readonly warnings: readonly string[];
  readonly trail: readonly Judgement[];
}

/** Why there is none, and what to do. */
export interface Refused {
  readonly state: "refused";
  readonly asked: string;
  readonly role?: string;
  readonly kind: "absent" | "ambiguous" | Hurdle["kind"];
  readonly message: string;
  readonly remedy?: string;
  readonly missing?: readonly string[];
  readonly trail: readonly Judgement[];
}

export type Selection = Selected | Refused;

/** Resolves a name, a served id, an alias or a role to one model. The same request in the same world has the same answer. */
export function select(request: SelectionRequest, world: SelectionWorld): Selection {
  const { asked } = request;
  if (asked.startsWith("role/")) return selectRole(asked.slice("role/".length), request, world);
  const name = asked.startsWith("model/") ? asked.slice("model/".length) : asked;
  const found = findCandidate(world.candidates, name);
  if (found.state === "found") return selectFound(found.candidate, found.by, { ...request, asked: name }, world);
  if (found.state === "ambiguous") {
    return {
      state: "refused",
      asked,
      kind: "ambiguous",
      message: `${JSON.stringify(name)} could mean ${found.names.join(" or ")}`,
      remedy: "use one of these names",
      trail: [],
    };
  }
  const path = name === asked ? rolePath(asked, world) : undefined;
  if (path !== undefined) return selectRole(path.role, path.model === undefined ? request : { ...request, prefer: path.model }, world, path.model);
  return {
    state: "refused",
    asked,
    kind: "absent",
    message: `no model and no role is called ${JSON.stringify(name)}`,
    remedy: "holdfast list shows what there is",
    trail: [],
  };
}

/** `ROLE`, `ROLE/default`, or `ROLE/MODEL` for one model that must fill the role. */
function rolePath(asked: string, world: SelectionWorld): { readonly role: string; readonly model?: string } | undefined {
  if (isRole(asked, world)) return { role: asked };
  const slash = asked.indexOf("/");
  const [role, rest] = [asked.slice(0, Math.max(slash, 0)), asked.slice(slash + 1)];
  if (slash < 1 || !isRole(role, world)) return undefined;
  return rest === "default" ? { role } : { role, model: rest };
}

function isRole(name: string, { roles, candidates }: SelectionWorld): boolean {
  return roles.some((role) => role.metadata.name === name) || candidates.some((candidate) => candidate.roles.some((claim) => claim.role === name));
}

/** A model that was named is taken even when it is deprecated, with a warning. */
function selectFound(candidate: Candidate, by: FoundBy, request: SelectionRequest, world: SelectionWorld): Selection {
  const hurdle = hurdleOf(candidate, demandsOf(request, undefined, world.roles), request, world);
  if (hurdle !== undefined) return refusal(request.asked, hurdle, [{ name: candidate.name, outcome: "excluded", because: hurdle.message }]);
  return chosen(
    candidate,
    request.asked,
    { by, warnings: deprecationWarning(candidate), trail: [{ name: candidate.name, outcome: "chosen", because: `found by its ${by}` }] },
    world,
  );
}

function deprecationWarning({ name, deprecated }: Candidate): readonly string[] {
  if (deprecated === undefined) return [];
  const { reason, replacedBy } = deprecated;
  return [`${name} is deprecated${reason === undefined ? "" : `: ${reason}`}${replacedBy === undefined ? "" : `; use ${replacedBy}`}`];
}

/** Chooses the model for a role: what is preferred if it qualifies, else the first in the order of the role, else an error that says what to do. */
export function selectRole(roleName: string, request: SelectionRequest, world: SelectionWorld, only?: string): Selection {
  const role = world.roles.find((each) => each.metadata.name === roleName);
  const named = new Set([...(role?.prefer ?? []), ...(role?.fallback === undefined ? [] : [role.fallback])]);
  const claimants = world.candidates.filter((candidate) => named.has(candidate.name) || candidate.roles.some((claim) => claim.role === roleName));
  const order = roleOrder(roleName, role, request, world);
  const demands = demandsOf(request, roleName, world.roles);
  const judged = claimants.toSorted(order.compare).map((candidate) => ({
    candidate,
    hurdle: roleHurdle(candidate, only, request) ?? hurdleOf(candidate, demands, { ...request, asked: candidate.servedId }, world),
  }));
  const [best, ...others] = judged.filter((item) => item.hurdle === undefined);
  const excluded = judged.flatMap(({ candidate, hurdle }): readonly Judgement[] =>
    hurdle === undefined ? [] : [{ name: candidate.name, outcome: "excluded", because: hurdle.message }],
  );
  const wish = wishUnmet(request.prefer, best?.candidate, judged, world);
  if (best === undefined) return unresolved(roleName, request, judged, excluded);
  const winner = best.candidate;
  const trail: readonly Judgement[] = [
    {
      name: winner.name,
      outcome: "chosen",
      because: others.length === 0 ? "the only one that qualifies" : `the first of ${others.length + 1} that qualify`,
    },
    ...others.map(({ candidate }): Judgement => ({ name: candidate.name, outcome: "lost", because: order.why(winner, candidate) })),
    ...excluded,
  ];
  const passed = judged
    .slice(0, judged.indexOf(best))
    .flatMap(({ candidate, hurdle }) =>
      hurdle?.kind === "unreachable" || hurdle?.kind === "not-installed" ? [`passed over ${candidate.name}: ${hurdle.message}`] : [],
    );
  return chosen(winner, request.asked, { by: "role", role: roleName, warnings: [...deprecationWarning(winner), ...wish, ...passed], trail }, world);
}

function roleHurdle(candidate: Candidate, only: string | undefined, request: SelectionRequest): Hurdle | undefined {
  if (only !== undefined && !isCalled(candidate, only)) return { kind: "filtered", message: `${only} was asked for` };
  if (candidate.deprecated === undefined || request.includeDeprecated) return undefined;
  return { kind: "filtered", message: `${candidate.name} is deprecated`, remedy: "--show-deprecated lets it in" };
}

interface Judged {
  readonly candidate: Candidate;
  readonly hurdle: Hurdle | undefined;
}

/** A preference is not a demand, but whoever wished is told why it did not come true. */
function wishUnmet(
  prefer: string | undefined,
  winner: Candidate | undefined,
  judged: readonly Judged[],
  { candidates }: SelectionWorld,
): readonly string[] {
  if (prefer === undefined || winner === undefined || isCalled(winner, prefer)) return [];
  const wished = judged.find(({ candidate }) => isCalled(candidate, prefer));
  const reason =
    wished?.hurdle?.message ??
    (candidates.some((candidate) => isCalled(candidate, prefer)) ? `${prefer} does not have the role` : `no model is called ${prefer}`);
  return [`not ${prefer}, which was preferred: ${reason}`];
}

const severity: readonly Hurdle["kind"][] = ["unreachable", "not-installed", "lacks-capability", "filtered"];

/** The refusal speaks about the candidate that came closest. */
function unresolved(roleName: string, request: SelectionRequest, judged: readonly Judged[], trail: readonly Judgement[]): Refused {
  const start = `failed to resolve role '${roleName}'`;
  const closest = severity.flatMap((kind) => judged.filter(({ hurdle }) => hurdle?.kind === kind))[0];
  const { requires } = contractOf(roleName);
  if (closest?.hurdle === undefined) {
    const what = requires.length === 0 ? "" : ` and ${requires.join(", ")}`;
    return {
      state: "refused",
      asked: request.asked,
      role: roleName,
      kind: "absent",
      message: `${start}: no model has the role${what}`,
      remedy: `add ${roleName} to the roles of a Model that fits`,
      trail,
    };
  }
  const message = `${start}: ${judged.length === 1 ? "" : `none of ${judged.length} models qualifies; the closest: `}${closest.hurdle.message}`;
  return { ...refusal(request.asked, closest.hurdle, trail), role: roleName, message };
}

function refusal(asked: string, { kind, message, remedy, missing }: Hurdle, trail: readonly Judgement[]): Refused {
  return {
    state: "refused",
    asked,
    kind,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(missing === undefined ? {} : { missing }),
    trail,
  };
}

function chosen(
  candidate: Candidate,
  asked: string,
  found: Pick<Selected, "by" | "role" | "warnings" | "trail">,
  { backends }: SelectionWorld,
): Selected {
  const sight = candidate.backend === undefined ? undefined : backends?.get(candidate.backend);
  const modelId = modelIdOn(candidate, found.by === "role" ? candidate.servedId : asked, sight) ?? candidate.servedId;
  return { state: "selected", asked, ...found, candidate, endpoint: candidate.endpoint ?? "", modelId };
}
