import type { Role } from "../../../src/domain/role.ts";
import { liveKey, type BackendSight, type Candidate } from "../../../src/domain/selection/candidate.ts";
import type { SelectionRequest, SelectionWorld } from "../../../src/domain/selection/hurdles.ts";
import { select, type Selection } from "../../../src/domain/selection/selection.ts";

/** Worlds to select in, made of few words. */

export const role = (name: string, more: Partial<Role> = {}): Role => ({
  kind: "Role",
  metadata: { name, labels: {}, annotations: {}, location: { file: "roles.yaml", line: 1, column: 1 } },
  requires: [],
  prefer: [],
  ...more,
});

export function candidate(name: string, more: Partial<Candidate> = {}): Candidate {
  return {
    name,
    displayName: name,
    servedId: `${name}:1b`,
    aliases: [],
    earlierNames: [],
    roles: [],
    capabilities: { text: true },
    provenance: { text: "show" },
    backendType: "ollama",
    backend: "local",
    endpoint: "http://localhost:11434/v1",
    testing: false,
    held: "present",
    ...more,
  };
}

export const claim = (name: string, priority = 0): Pick<Candidate, "roles"> => ({ roles: [{ role: name, priority }] });
export const sees = { capabilities: { text: true, vision: true }, provenance: { vision: "show" } };
export const ask = (asked: string, more: Partial<SelectionRequest> = {}): SelectionRequest => ({
  asked,
  requires: [],
  includeDeprecated: false,
  includeTesting: false,
  priority: "higher-wins",
  ...more,
});
export const up = (name: string, type: string, ...ids: readonly string[]): BackendSight => ({
  name,
  type,
  url: `http://${name}`,
  state: "up",
  ids: new Set(ids.map((id) => liveKey(type, id))),
});
export const world = (candidates: readonly Candidate[], more: Partial<SelectionWorld> = {}): SelectionWorld => ({ candidates, roles: [], ...more });
export const live = (...sights: readonly BackendSight[]): Pick<SelectionWorld, "backends"> => ({
  backends: new Map(sights.map((sight) => [sight.name, sight])),
});

export function said(selection: Selection): string {
  return selection.state === "selected" ? `${selection.candidate.name} by ${selection.by}` : `${selection.kind}: ${selection.message}`;
}

export const pick = (candidates: readonly Candidate[], request: SelectionRequest, more: Partial<SelectionWorld> = {}): string =>
  said(select(request, world(candidates, more)));
