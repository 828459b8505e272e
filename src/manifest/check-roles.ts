import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Role } from "../domain/role.ts";
import { diagnosticOf, type Finding } from "./finding.ts";
import { suggestion } from "./nearest.ts";
import { mayExist, nameOf, type Project } from "./project.ts";
import { quote } from "./quote.ts";
import type { Segment } from "./yaml-document.ts";

/** The models that a role names exist. */
export function checkRoles(project: Project): readonly Diagnostic[] {
  return project.roles.flatMap((role) => roleFindings(role.value, project).map((finding) => diagnosticOf(role.document, finding)));
}

function roleFindings(role: Role, project: Project): readonly Finding[] {
  const preferred = role.prefer.map((name, index) => ({ name, path: ["spec", "prefer", index] }));
  const named: readonly { readonly name: string; readonly path: readonly Segment[] }[] =
    role.fallback === undefined ? preferred : [...preferred, { name: role.fallback, path: ["spec", "fallback"] }];
  return named.flatMap(({ name, path }): readonly Finding[] => {
    const model = project.models.find((candidate) => nameOf(candidate) === name)?.value;
    if (model?.lifecycle.state === "deprecated") {
      return [
        {
          severity: "warning",
          code: "role.deprecated-model",
          path,
          message: `model ${quote(name)} is deprecated and will not be selected`,
          remedy: model.lifecycle.replacedBy === undefined ? "name another model" : `name ${model.lifecycle.replacedBy}`,
        },
      ];
    }
    if (model !== undefined || mayExist(project, "Model", name)) return [];
    return [{ code: "role.unknown-model", path, message: `no Model is called ${quote(name)}`, remedy: suggestion(name, project.models.map(nameOf)) }];
  });
}
