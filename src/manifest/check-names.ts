import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Model } from "../domain/model.ts";
import type { Metadata } from "../domain/resource.ts";
import type { Declared } from "./decode-context.ts";
import { diagnosticOf } from "./finding.ts";
import { caseKey } from "./names.ts";
import { nameOf, whereOf, type Project } from "./project.ts";
import { quote } from "./quote.ts";

type Named = Declared<{ readonly kind: string; readonly metadata: Metadata }>;

/** Two manifests of one kind must not share a name, not even up to case; aliases must not hide a model. */
export function checkNames({ models, roles, backends, policies }: Project): readonly Diagnostic[] {
  const kinds: readonly (readonly Named[])[] = [models, roles, backends, policies];
  return [...kinds.flatMap(checkTwins), ...checkAliases(models)];
}

function checkTwins(declared: readonly Named[]): readonly Diagnostic[] {
  const first = new Map<string, Named>();
  return declared.flatMap((item) => {
    const name = nameOf(item);
    const other = first.get(caseKey(name));
    if (other === undefined) {
      first.set(caseKey(name), item);
      return [];
    }
    const path = ["metadata", "name"];
    if (nameOf(other) !== name) {
      const message = `${item.value.kind} ${quote(name)} and ${quote(nameOf(other))} (${whereOf(other)}) differ only in case`;
      return [diagnosticOf(item.document, { code: "manifest.case-twin", path, message, remedy: "give one of them another name" })];
    }
    const message = `${item.value.kind} ${quote(name)} is already declared in ${whereOf(other)}`;
    return [diagnosticOf(item.document, { code: "manifest.duplicate-name", path, message, remedy: "remove or rename one of the two" })];
  });
}

function checkAliases(models: readonly Declared<Model>[]): readonly Diagnostic[] {
  const owners = new Map(models.map((model) => [caseKey(nameOf(model)), model]));
  return models.flatMap((model) =>
    model.value.aliases.flatMap((alias, index) => {
      const owner = owners.get(caseKey(alias));
      if (owner === undefined) {
        owners.set(caseKey(alias), model);
        return [];
      }
      const path = ["spec", "aliases", index];
      if (owner === model)
        return [
          diagnosticOf(model.document, {
            severity: "warning",
            code: "model.alias-of-itself",
            path,
            message: `the alias ${quote(alias)} is already a name of this model`,
            remedy: "remove it",
          }),
        ];
      const message = `the alias ${quote(alias)} already leads to model ${quote(nameOf(owner))} (${whereOf(owner)})`;
      return [diagnosticOf(model.document, { code: "model.alias-clash", path, message, remedy: "choose another alias" })];
    }),
  );
}
