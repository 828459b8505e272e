import type { DesiredState } from "../../domain/desired.ts";
import { failed } from "../../domain/failure.ts";
import { nearest } from "../../manifest/nearest.ts";

/** Refuses names that no manifest declares, with the nearest name that exists. */
export function requireModels(desired: DesiredState, names: readonly string[]): void {
  requireKnown(
    names,
    desired.models.map((model) => model.metadata.name),
  );
}

/** Refuses names that are not among the known ones. */
export function requireKnown(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const close = nearest(unknown, known);
  throw failed("invalid-input", `no manifest declares a model ${JSON.stringify(unknown)}`, {
    remedy: close === undefined ? "holdfast status lists the declared models" : `did you mean ${close}?`,
  });
}
