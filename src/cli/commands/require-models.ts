import type { DesiredState } from "../../domain/desired.ts";
import { failed } from "../../domain/failure.ts";
import { nearest } from "../../manifest/nearest.ts";

/** Refuses names that no manifest declares, with the nearest name that exists. */
export function requireModels(desired: DesiredState, names: readonly string[]): void {
  const declared = desired.models.map((model) => model.metadata.name);
  const unknown = names.find((name) => !declared.includes(name));
  if (unknown === undefined) return;
  const close = nearest(unknown, declared);
  throw failed("invalid-input", `no manifest declares a model ${JSON.stringify(unknown)}`, { remedy: close === undefined ? "holdfast status lists the declared models" : `did you mean ${close}?` });
}
