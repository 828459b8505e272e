import { canonicalCapability } from "../domain/capability-name.ts";
import type { DesiredState } from "../domain/desired.ts";
import { compareText } from "../domain/diagnostic.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Model } from "../domain/model.ts";
import { endpointOf, registryBackend } from "./endpoint.ts";
import { stated } from "./json-text.ts";
import { backendOf, ollamaTag } from "./subject.ts";

/**
 * What a manifest says about a model, as an entry of the curated layer. Keys that the manifest cannot know stay out, because whatever stands here
 * hides what was observed.
 */
export function manifestEntry(model: Model, desired: Pick<DesiredState, "backends">): JsonObject {
  const { metadata, source, launch } = model;
  const backend = backendOf({ model }, desired.backends);
  const tag = ollamaTag({ model });
  return stated({
    name: metadata.name,
    display_name: model.displayName ?? metadata.name,
    backend: tag === undefined ? registryBackend(backend) : "ollama",
    backend_config: stated({ ...(backend && endpointOf(backend)), model_path: tag && `ollama:/${tag}`, extra_args: launch.args }),
    capabilities: overrides(model),
    generation_defaults: model.generationDefaults,
    chat_template: launch.chatTemplate === undefined ? undefined : { source: "external", path: launch.chatTemplate },
    metadata: { ...model.extra, ...(model.testing ? { testing: true } : {}), reconciler: ownRecord(model) },
    served_model_id: model.servedModelId ?? tag ?? metadata.name,
    model_aliases: model.aliases,
    roles: model.roles.map((claim) => claim.role),
    license: model.license,
    source: source.kind === "huggingface" ? { huggingface_id: source.repo } : undefined,
    deprecated: model.lifecycle.state === "deprecated",
    role_priority: Object.fromEntries(model.roles.map((claim) => [claim.role, claim.priority])),
  });
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
  return stated({
    declared: true,
    manifest: metadata.location.file,
    protect: model.protect,
    provenance: overridden.length === 0 ? undefined : Object.fromEntries(overridden.toSorted(([a], [b]) => compareText(a, b))),
    deprecation: lifecycle.state === "active" ? undefined : stated({ message: lifecycle.reason, replaced_by: lifecycle.replacedBy }),
  });
}
