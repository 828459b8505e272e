import type { Backend } from "../domain/backend.ts";
import type { Declared, DecodeOptions } from "./decode-context.ts";
import { decodeBackend } from "./decode-backend.ts";
import type { Project } from "./project.ts";
import { validate } from "./validate.ts";

const name = "ollama";

/**
 * One Model manifest must be enough to begin with: when models come from Ollama and no Backend of that type is declared, the server of the
 * settings is taken, under the name `ollama`.
 */
export function withAssumedOllama(project: Project, options: DecodeOptions): Project {
  const user = project.models.find(({ value }) => value.source.kind === "ollama");
  const taken = project.backends.some(({ value }) => value.type === "ollama" || value.metadata.name === name);
  if (user === undefined || taken || project.broken.has("Backend")) return project;
  const written = validate("backend", { apiVersion: "holdfast.dev/v1", kind: "Backend", metadata: { name }, spec: { type: "ollama" } });
  if ("errors" in written) return project;
  const { value } = decodeBackend(written.data, { name, labels: {}, annotations: {}, location: user.value.metadata.location }, options);
  const assumed: Declared<Backend> = {
    value: options.ollamaStore === undefined ? value : { ...value, store: options.ollamaStore },
    document: user.document,
  };
  return { ...project, backends: [...project.backends, assumed] };
}
