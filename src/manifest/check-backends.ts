import type { Backend } from "../domain/backend.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { diagnosticOf, type Finding } from "./finding.ts";
import { suggestion } from "./nearest.ts";
import { mayExist, nameOf, whereOf, type Project } from "./project.ts";
import { quote } from "./quote.ts";
import type { Declared } from "./decode-context.ts";

/** What a backend serves exists and belongs to it, and no two backends are one endpoint. */
export function checkBackends(project: Project): readonly Diagnostic[] {
  return [
    ...project.backends.flatMap((backend) => activeFindings(backend.value, project).map((finding) => diagnosticOf(backend.document, finding))),
    ...checkEndpoints(project.backends),
  ];
}

function activeFindings(backend: Backend, project: Project): readonly Finding[] {
  if (backend.active?.kind !== "model") return [];
  const { name } = backend.active;
  const path = ["spec", "active"];
  const model = project.models.find((candidate) => nameOf(candidate) === name)?.value;
  if (model === undefined) {
    if (mayExist(project, "Model", name)) return [];
    return [
      { code: "backend.active-unknown", path, message: `no Model is called ${quote(name)}`, remedy: suggestion(name, project.models.map(nameOf)) },
    ];
  }
  if (model.backend !== backend.metadata.name) {
    const owner = model.backend === undefined ? "no backend" : `backend ${quote(model.backend)}`;
    const message = `model ${quote(name)} belongs to ${owner}, not to this one`;
    return [{ code: "backend.active-elsewhere", path, message, remedy: `add backend: ${backend.metadata.name} to the model, or name another model` }];
  }
  if (model.lifecycle.state !== "deprecated") return [];
  const remedy = model.lifecycle.replacedBy === undefined ? "name a model that stays, or none" : `write active: ${model.lifecycle.replacedBy}`;
  return [{ code: "backend.active-deprecated", path, message: `model ${quote(name)} is deprecated`, remedy }];
}

function checkEndpoints(backends: readonly Declared<Backend>[]): readonly Diagnostic[] {
  const owners = new Map<string, { readonly backend: Declared<Backend>; readonly place: string }>();
  return backends.flatMap((backend) => {
    const { type, url, store } = backend.value;
    if (type === "openai") return [];
    return [["url", url] as const, ["store", store] as const].flatMap(([key, place]) => {
      if (place === undefined) return [];
      const identity = key === "url" ? serverOf(place) : folderOf(place);
      const owner = owners.get(identity);
      if (owner === undefined) owners.set(identity, { backend, place });
      if (owner === undefined || owner.backend === backend) return [];
      const same = owner.place === place ? "is already" : `is the same ${key === "url" ? "server" : "folder"} as ${owner.place} of`;
      return [
        diagnosticOf(backend.document, {
          code: "backend.same-endpoint",
          path: ["spec", key],
          message: `${place} ${same} Backend ${quote(nameOf(owner.backend))} (${whereOf(owner.backend)})`,
          remedy: "keep one of the two; several models can name the same Backend",
        }),
      ];
    });
  });
}

/** Names of the machine itself, as a URL spells them; who listens on all addresses is reached through each of them. */
const ownNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f00:1]", "[::ffff:0:0]"]);

/** The same text for every spelling of one server. */
function serverOf(address: string): string {
  if (!URL.canParse(address)) return address;
  const { protocol, hostname, port, pathname } = new URL(address);
  const host = hostname.replace(/\.$/, "");
  return `${protocol}//${ownNames.has(host) ? "localhost" : host}:${port}${pathname.replace(/\/+$/, "")}`;
}

function folderOf(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
