import { compareText } from "../diagnostic.ts";
import type { Role } from "../role.ts";
import type { Candidate } from "./candidate.ts";
import type { SelectionRequest, SelectionWorld } from "./hurdles.ts";

/** One rule of the order, lower ranks first, and what it says of the model that loses by it. */
interface Rule {
  readonly rank: (candidate: Candidate) => number;
  readonly loses: (loser: Candidate, winner: Candidate) => string;
}

/** Orders the models that may fill a role. */
export interface RoleOrder {
  compare(a: Candidate, b: Candidate): number;
  /** Why the second of two comes after the first. */
  why(winner: Candidate, loser: Candidate): string;
}

/** Preferred by the request, by the role, then priority, the profile, and the name (requirements 4.1 K17); the role's fallback last. */
export function roleOrder(roleName: string, role: Role | undefined, request: SelectionRequest, world: SelectionWorld): RoleOrder {
  const rules = [...statedRules(roleName, role, request), ...profileRules(world)];
  return {
    compare: (a, b) => {
      for (const { rank } of rules) {
        const difference = rank(a) - rank(b);
        if (difference !== 0) return difference;
      }
      return compareText(a.name, b.name);
    },
    why: (winner, loser) =>
      rules.find(({ rank }) => rank(winner) !== rank(loser))?.loses(loser, winner) ??
      `it is equal in everything, and its name comes after ${winner.name}`,
  };
}

function statedRules(roleName: string, role: Role | undefined, { prefer, priority }: SelectionRequest): readonly Rule[] {
  const list = role?.prefer ?? [];
  const direction = priority === "higher-wins" ? -1 : 1;
  const claimed = (candidate: Candidate): number => candidate.roles.find((claim) => claim.role === roleName)?.priority ?? 0;
  return [
    { rank: (candidate) => (prefer !== undefined && isCalled(candidate, prefer) ? 0 : 1), loses: (_loser, winner) => `${winner.name} was asked for` },
    {
      rank: (candidate) => (candidate.name === role?.fallback && !list.includes(candidate.name) ? 1 : 0),
      loses: () => "it is only the fallback of the role",
    },
    {
      rank: (candidate) => (list.includes(candidate.name) ? list.indexOf(candidate.name) : list.length),
      loses: (_loser, winner) => `the role prefers ${winner.name}`,
    },
    {
      rank: (candidate) => direction * claimed(candidate),
      loses: (loser, winner) => `its priority is ${claimed(loser)}, that of ${winner.name} is ${claimed(winner)}`,
    },
  ];
}

function profileRules({ profile }: SelectionWorld): readonly Rule[] {
  if (profile === undefined) return [];
  const { name, preferredQuantizations: wanted, bias } = profile.profile;
  const quantRank = ({ quantization = "" }: Candidate): number => {
    const at = wanted.findIndex((part) => quantization.toLowerCase().includes(part));
    return at < 0 ? wanted.length : at;
  };
  const size = ({ vramMb }: Candidate): number => vramMb ?? Number.MAX_SAFE_INTEGER;
  const quantRule: Rule = {
    rank: quantRank,
    loses: (loser, winner) =>
      `the profile ${name} prefers ${winner.quantization ?? "the other quantization"} to ${loser.quantization ?? "an unknown quantization"}`,
  };
  const sizeRule: Rule = { rank: size, loses: (_loser, winner) => `${winner.name} needs less memory` };
  return bias === "vram_efficient" ? [sizeRule, quantRule] : [quantRule, sizeRule];
}

/** True when a wish means this model, by any of its names. */
export function isCalled(candidate: Candidate, name: string): boolean {
  return candidate.name === name || candidate.servedId === name || candidate.aliases.includes(name);
}
