import type { DesiredState } from "../domain/desired.ts";
import { compareText } from "../domain/diagnostic.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Model } from "../domain/model.ts";
import { canonicalCapability } from "./capabilities.ts";
import { endpointOf, registryBackend } from "./endpoint.ts";
import { backendOf, ollamaTag } from "./subject.ts";

/**
 * What a manifest says about a model, as an entry of the curated layer. Keys that the manifest cannot know stay out, because whatever stands here
 * hides what was observed.
 */
export function manifestEntry(model: Model, desired: Pick<DesiredState, "backends">): JsonObject {
  const { metadata, source, launch } = model;
  const backend = backendOf({ model }, desired.backends);
  const tag = ollamaTag({ model });
  const endpoint = backend === undefined ? {} : endpointOf(backend);
  return {
    name: metadata.name,
    display_name: model.displayName ?? metadata.name,
    backend: tag === undefined ? registryBackend(backend) : "ollama",
    backend_config: { ...endpoint, ...(tag === undefined ? {} : { model_path: `ollama:/${tag}` }), extra_args: launch.args },
    capabilities: overrides(model),
    generation_defaults: model.generationDefaults,
    ...(launch.chatTemplate === undefined ? {} : { chat_template: { source: "external", path: launch.chatTemplate } }),
    metadata: { ...model.extra, ...(model.testing ? { testing: true } : {}), reconciler: ownRecord(model) },
    served_model_id: model.servedModelId ?? tag ?? metadata.name,
    model_aliases: model.aliases,
    roles: model.roles.map((claim) => claim.role),
    ...(model.license === undefined ? {} : { license: model.license }),
    ...(source.kind === "huggingface" ? { source: { huggingface_id: source.repo } } : {}),
    deprecated: model.lifecycle.state === "deprecated",
    role_priority: Object.fromEntries(model.roles.map((claim) => [claim.role, claim.priority])),
  };
}

/** `reasoning` and `thinking` are one capability under two names, so both must say the same. */
function overrides(model: Model): JsonObject {
  const stated = Object.entries(model.capabilities).map(([name, value]): [string, boolean] => [canonicalCapability(name), value]);
  const thinking = stated.find(([name]) => name === "thinking")?.[1];
  return Object.fromEntries([...stated, ...(thinking === undefined ? [] : [["reasoning", thinking] as const])]);
}

function ownRecord(model: Model): JsonObject {
  const { lifecycle, metadata, capabilities } = model;
  const overridden = Object.keys(capabilities).map((name): [string, string] => [canonicalCapability(name), "manifest"]);
  const deprecation = { ...(lifecycle.reason === undefined ? {} : { message: lifecycle.reason }), ...(lifecycle.replacedBy === undefined ? {} : { replaced_by: lifecycle.replacedBy }) };
  return {
    declared: true,
    manifest: metadata.location.file,
    protect: model.protect,
    ...(overridden.length === 0 ? {} : { provenance: Object.fromEntries(overridden.toSorted(([a], [b]) => compareText(a, b))) }),
    ...(lifecycle.state === "active" || Object.keys(deprecation).length === 0 ? {} : { deprecation }),
  };
}
