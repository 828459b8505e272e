import { canonicalCapability } from "../domain/capability-name.ts";
import { compareText } from "../domain/diagnostic.ts";
import type { Provenance } from "../domain/observed.ts";

/** The capability names that every registry entry states; ImageWorks derives all synonyms from them. `reasoning` always equals `thinking`. */
export const canonicalCapabilities = ["text", "vision", "audio", "embedding", "tools", "thinking", "reasoning"] as const;

/** What Ollama's `/api/show` calls a capability; its `image` means making pictures, not seeing them. */
export function capabilityFromOllama(name: string): string {
  return name.trim().toLowerCase() === "image" ? "image_generation" : canonicalCapability(name);
}

/** Brings a capability map of any spelling into the one schema. A capability is true when any of its spellings is. */
export function normalizeCapabilities(map: Readonly<Record<string, boolean>>): Readonly<Record<string, boolean>> {
  const stated = new Map<string, boolean>();
  for (const [key, value] of Object.entries(map)) {
    const name = canonicalCapability(key);
    stated.set(name, value || (stated.get(name) ?? false));
  }
  return withDefaults(stated);
}

/** Adds the names that must always be stated. A model that says nothing about text and does not only embed is taken to speak. */
function withDefaults(stated: ReadonlyMap<string, boolean>): Readonly<Record<string, boolean>> {
  const thinking = stated.get("thinking") ?? false;
  const always: Readonly<Record<string, boolean>> = {
    text: stated.get("text") ?? !(stated.get("embedding") ?? false),
    vision: stated.get("vision") ?? false,
    audio: stated.get("audio") ?? false,
    embedding: stated.get("embedding") ?? false,
    tools: stated.get("tools") ?? false,
    thinking,
    reasoning: thinking,
  };
  const others = [...stated].filter(([name]) => !Object.hasOwn(always, name)).toSorted(([a], [b]) => compareText(a, b));
  return { ...always, ...Object.fromEntries(others) };
}

/** True when a capability map says yes under any spelling of the name. */
export function hasCapability(map: Readonly<Record<string, boolean>>, name: string): boolean {
  const wanted = canonicalCapability(name);
  return Object.entries(map).some(([key, value]) => value && canonicalCapability(key) === wanted);
}

/** Those of the wanted capabilities that are not there, by canonical name. */
export function missingCapabilities(map: Readonly<Record<string, boolean>>, wanted: readonly string[]): readonly string[] {
  const names = new Set(wanted.map(canonicalCapability));
  return [...names].filter((name) => !hasCapability(map, name));
}

/** Somebody says of a model that it can or cannot do something. */
export interface CapabilityClaim {
  readonly name: string;
  readonly value: boolean;
  readonly from: Provenance;
}

const strength: Readonly<Record<Provenance, number>> = { probe: 6, show: 5, model_info: 4, header: 3, "known-model": 2, name: 1 };

/** Capabilities with the source of each. */
export interface MergedCapabilities {
  readonly values: Readonly<Record<string, boolean>>;
  /** Capability -> strongest source, `manifest` where a person decided; absent where it is only a default. */
  readonly provenance: Readonly<Record<string, Provenance | "manifest">>;
}

/** Decides each capability by its strongest source (facts before guesses); among equals a yes wins; what the manifest says beats all. */
export function mergeCapabilities(claims: readonly CapabilityClaim[], overrides: Readonly<Record<string, boolean>>): MergedCapabilities {
  const best = new Map<string, CapabilityClaim>();
  for (const claim of claims) {
    const name = canonicalCapability(claim.name);
    const rival = best.get(name);
    if (rival === undefined || beats(claim, rival)) best.set(name, claim);
  }
  const decided = new Map<string, { readonly value: boolean; readonly from: Provenance | "manifest" }>(best);
  for (const [key, value] of Object.entries(overrides)) decided.set(canonicalCapability(key), { value, from: "manifest" });
  const sorted = [...decided].toSorted(([a], [b]) => compareText(a, b));
  return {
    values: withDefaults(new Map(sorted.map(([name, { value }]) => [name, value]))),
    provenance: Object.fromEntries(sorted.map(([name, { from }]) => [name, from])),
  };
}

function beats(claim: CapabilityClaim, rival: CapabilityClaim): boolean {
  const difference = strength[claim.from] - strength[rival.from];
  return difference > 0 || (difference === 0 && claim.value && !rival.value);
}
